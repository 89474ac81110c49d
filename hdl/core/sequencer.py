# SPDX-License-Identifier: Apache-2.0
"""The sequencer: issues the operations of the program, each a fixed time after the one before."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply, bits
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.ram import memory
from antevolt.hdl.lib.registers import KEEP, register
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import CHUNK, CHUNKS, FILTERS, LAYOUT, STREAMS, SWEEPS, Kind
from antevolt.hdl.spec.timing import MIN_DELAY

__all__ = ["Sequencer", "operation"]

operation = data.StructLayout(LAYOUT)


class Sequencer(wiring.Component):
    """Walks the program once per step.

    Members
    -------
    go : start a step (an input is there, and nobody uses the access bus)
    op : the operation at hand;  issue[kind] : a pulse when it starts, a cycle after its ISSUE state
    again : the same, from registers of their own: hundreds listen
    sweeps, filters : likewise, any operation of `program.SWEEPS`, of `program.FILTERS`
    due : APPLY and TIMES operations take place, else they are passed over
    done : a blocking operation ends;  taking : an INPUT or TARGET is at work
    busy : inside a step;  ended : a pulse after its last cycle
    blocked : a blocking operation is at work;  held : a TARGET in the background is waited for
    access, reply : the program memory on the access bus

    From one issue to the next: `delay` cycles, plus the cycles a blocking operation takes, plus
    those that `held` counts: a multiple of `machine.interval`, so that filters keep their beat.
    """

    go: Any
    op: Any
    issue: Any
    again: Any
    sweeps: Any
    filters: Any
    due: Any
    done: Any
    taking: Any
    busy: Any
    ended: Any
    blocked: Any
    held: Any
    access: Any
    reply: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.contents = machine, contents
        super().__init__(
            {
                "go": In(1),
                "op": Out(operation),
                "issue": Out(len(Kind)),
                "again": Out(len(Kind)),
                "sweeps": Out(1),
                "filters": Out(1),
                "due": In(1),
                "done": In(1),
                "taking": In(1),
                "busy": Out(1),
                "ended": Out(1),
                "blocked": Out(1),
                "held": Out(1),
                "access": In(Access()),
                "reply": Out(Reply()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counter = Signal(bits(self.machine.program_depth))
        word = self._program(m, counter)
        timer, op, beat = Signal(LAYOUT["delay"]), self.op, Signal(range(self.machine.interval))
        spare, counts = Signal(LAYOUT["delay"]), Signal()  # the timer starts from it; counts down
        finished, ripe = Signal(), Signal()  # `done`, a cycle later; the timer's last cycle
        # bits of their own for states that much hangs on; the first two both say LOAD
        takes, loads, issues, rests = Signal(attrs=KEEP), Signal(), Signal(), Signal(init=1)
        # decoded as it comes: its kind, and what it waits for
        kinds, joins, blocks, learns = Signal(len(Kind)), Signal(), Signal(), Signal()
        near = self.machine.near  # the operation is the memory's word: no register, decoded late
        kind = {of: kinds[of] for of in Kind}
        coming = operation(word)
        comes = {of: coming.kind == of for of in Kind}
        streams = Cat(comes[of] for of in STREAMS).any()
        skipped = learns & ~self.due
        groups = [(self.sweeps, SWEEPS, Signal()), (self.filters, FILTERS, Signal())]
        m.d.comb += self.busy.eq(~rests)
        again = register("again", len(Kind), keep=True)
        m.d.comb += self.again.eq(again)
        decoded = [
            kinds.eq(Cat(comes[of] for of in sorted(Kind))),
            joins.eq(streams | comes[Kind.END] | comes[Kind.ERROR] & coming.cost.any()),
            blocks.eq(streams & ~(comes[Kind.TARGET] & coming.keep)),
            learns.eq(comes[Kind.APPLY] | comes[Kind.TIMES]),
            spare.eq(coming.delay - 2),
            *(any_of.eq(Cat(comes[of] for of in group).any()) for _, group, any_of in groups),
        ]
        # pulses, one register behind the state
        m.d.sync += [self.issue.eq(0), again.eq(0), self.ended.eq(0)]
        m.d.sync += [finished.eq(0), ripe.eq(0), takes.eq(0), loads.eq(0), issues.eq(0)]
        m.d.sync += [pulse.eq(0) for pulse, _, _ in groups]
        with m.If(issues & ~(joins & self.taking) & ~skipped):
            m.d.sync += [port.eq(kinds) for port in (self.issue, again)]
            m.d.sync += [pulse.eq(any_of) for pulse, _, any_of in groups]
        with m.If(issues):
            m.d.sync += timer.eq(Mux(skipped, MIN_DELAY - 2, spare))
        with m.Elif(counts):
            m.d.sync += timer.eq(timer - 1)
        if near:
            m.d.comb += [op.as_value().eq(word), *decoded]
        else:
            with m.If(takes):
                m.d.sync += op.as_value().eq(word)
            with m.If(loads):
                m.d.sync += [counter.eq(counter + 1), *decoded]
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.go):
                    m.d.sync += rests.eq(0)
                    m.next = "FETCH"
            with m.State("FETCH"):  # the counter has just returned to 0
                m.d.sync += [takes.eq(1), loads.eq(1)]
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += issues.eq(1)
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.sync += beat.eq(self.machine.interval - 1)
                with m.If(joins & self.taking):
                    m.d.comb += self.held.eq(1)
                    m.d.sync += issues.eq(self.machine.interval == 1)
                    m.next = "HELD" if self.machine.interval > 1 else "ISSUE"
                with m.Else():
                    m.next = "WAIT"
                    with m.If(kind[Kind.END]):
                        m.d.sync += [self.ended.eq(1), counter.eq(0), rests.eq(1)]
                        m.next = "IDLE"
                    with m.Elif(blocks):
                        m.next = "BLOCKED"
            if self.machine.interval > 1:
                with m.State("HELD"):
                    m.d.comb += self.held.eq(1)
                    m.d.sync += beat.eq(beat - 1)
                    with m.If(beat == 1):
                        m.d.sync += issues.eq(1)
                        m.next = "ISSUE"
            with m.State("BLOCKED"):
                m.d.comb += self.blocked.eq(~finished)
                m.d.sync += [finished.eq(self.done & ~finished), ripe.eq(timer == 2)]
                with m.If(finished):  # which has taken a cycle of the timer's
                    m.d.comb += counts.eq(1)
                    m.next = "WAIT"
                    if near:
                        m.d.sync += counter.eq(counter + (timer == 2))
            with m.State("WAIT"):
                m.d.comb += counts.eq(1)
                m.d.sync += ripe.eq(timer == 2)
                if near:  # the next word is there in ISSUE, and this one until then
                    m.d.sync += counter.eq(counter + (timer == 2))
                with m.If(ripe):
                    m.d.sync += [takes.eq(1), loads.eq(1)]
                    m.next = "LOAD"
        return m

    def _program(self, m: Module, counter: Signal) -> Any:
        tap, words = Tap(m, self.access, None, self.contents, self.machine.near), []
        for n in range(CHUNKS):
            ram = memory(self.machine, CHUNK, self.machine.program_depth)
            m.submodules[f"program{n}"] = ram
            tap.join(Region.PROGRAM, ram, counter, 0, 0, 0, way=(3, n))
            words.append(ram.rdata)
        m.d.comb += self.reply.as_value().eq(
            tap.reply("reply_register", Reply().const({}).as_value())
        )
        return Cat(words)[: operation.size]
