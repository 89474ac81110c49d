# SPDX-License-Identifier: Apache-2.0
"""The sequencer: issues the operations of the program, each a fixed time after the one before."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply, bits
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.ram import memory
from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import CHUNK, CHUNKS, LAYOUT, STREAMS, Kind
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
        finished, ripe = Signal(), Signal()  # `done`, a cycle later; the timer's last cycle
        # decoded as it comes: its kind, and what it waits for
        kinds, joins, blocks, learns = Signal(len(Kind)), Signal(), Signal(), Signal()
        near = self.machine.near  # the operation is the memory's word: no register, decoded late
        kind = {of: kinds[of] for of in Kind}
        coming = operation(word)
        comes = {of: coming.kind == of for of in Kind}
        streams = Cat(comes[of] for of in STREAMS).any()
        skipped = learns & ~self.due
        wait = Mux(skipped, MIN_DELAY - 2, op.delay - 2)
        m.d.comb += self.busy.eq(1)
        again = register("again", len(Kind), keep=True)
        m.d.comb += self.again.eq(again)
        decoded = [
            kinds.eq(Cat(comes[of] for of in sorted(Kind))),
            joins.eq(streams | comes[Kind.END] | comes[Kind.ERROR] & coming.cost.any()),
            blocks.eq(streams & ~(comes[Kind.TARGET] & coming.keep)),
            learns.eq(comes[Kind.APPLY] | comes[Kind.TIMES]),
        ]
        if near:
            m.d.comb += [op.as_value().eq(word), *decoded]
        # pulses, one register behind the state
        m.d.sync += [self.issue.eq(0), again.eq(0), self.ended.eq(0)]
        m.d.sync += [finished.eq(0), ripe.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.go):
                    m.next = "FETCH"
            with m.State("FETCH"):  # the counter has just returned to 0
                m.next = "LOAD"
            with m.State("LOAD"):
                if not near:
                    m.d.sync += [op.as_value().eq(word), counter.eq(counter + 1), *decoded]
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.sync += [timer.eq(wait), beat.eq(self.machine.interval - 1)]
                with m.If(joins & self.taking):
                    m.d.comb += self.held.eq(1)
                    m.next = "HELD" if self.machine.interval > 1 else "ISSUE"
                with m.Else():
                    m.d.sync += [port.eq(Mux(skipped, 0, kinds)) for port in (self.issue, again)]
                    m.next = "WAIT"
                    with m.If(kind[Kind.END]):
                        m.d.sync += [self.ended.eq(1), counter.eq(0)]
                        m.next = "IDLE"
                    with m.Elif(blocks):
                        m.next = "BLOCKED"
            if self.machine.interval > 1:
                with m.State("HELD"):
                    m.d.comb += self.held.eq(1)
                    m.d.sync += beat.eq(beat - 1)
                    with m.If(beat == 1):
                        m.next = "ISSUE"
            with m.State("BLOCKED"):
                m.d.comb += self.blocked.eq(~finished)
                m.d.sync += [finished.eq(self.done & ~finished), ripe.eq(timer == 2)]
                with m.If(finished):  # which has taken a cycle of the timer's
                    m.d.sync += timer.eq(timer - 1)
                    m.next = "WAIT"
                    if near:
                        m.d.sync += counter.eq(counter + (timer == 2))
            with m.State("WAIT"):
                m.d.sync += [timer.eq(timer - 1), ripe.eq(timer == 2)]
                if near:  # the next word is there in ISSUE, and this one until then
                    m.d.sync += counter.eq(counter + (timer == 2))
                with m.If(ripe):
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
