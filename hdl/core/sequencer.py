# SPDX-License-Identifier: Apache-2.0
"""The sequencer: issues the operations of the program, each a fixed time after the one before."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply, bits
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import CHUNK, CHUNKS, LAYOUT, Kind
from antevolt.hdl.spec.timing import MIN_DELAY

__all__ = ["BLOCKING", "Sequencer", "operation"]

BLOCKING = (Kind.INPUT, Kind.TARGET, Kind.OUTPUT)
"""Operations that end when their stream has moved; their delay counts from there."""

operation = data.StructLayout(LAYOUT)


class Sequencer(wiring.Component):
    """Walks the program once per step.

    Members
    -------
    go : start a step (an input is there, and nobody uses the access bus)
    op : the operation at hand;  issue[kind] : a pulse when it starts, a cycle after its ISSUE state
    due : APPLY and TIMES operations take place, else they are passed over
    done : a blocking operation ends
    busy : inside a step;  ended : a pulse after its last cycle
    access, reply : the program memory on the access bus

    From one issue to the next: `delay` cycles, plus the cycles a blocking operation takes.
    """

    go: Any
    op: Any
    issue: Any
    due: Any
    done: Any
    busy: Any
    ended: Any
    access: Any
    reply: Any

    def __init__(self, machine: Machine):
        self.machine = machine
        super().__init__(
            {
                "go": In(1),
                "op": Out(operation),
                "issue": Out(len(Kind)),
                "due": In(1),
                "done": In(1),
                "busy": Out(1),
                "ended": Out(1),
                "access": In(Access()),
                "reply": Out(Reply()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        counter = Signal(bits(self.machine.program_depth))
        word = self._program(m, counter)
        timer, op = Signal(LAYOUT["delay"]), self.op
        skipped = ((op.kind == Kind.APPLY) | (op.kind == Kind.TIMES)) & ~self.due
        wait = Mux(skipped, MIN_DELAY - 2, op.delay - 2)
        m.d.comb += self.busy.eq(1)
        m.d.sync += [self.issue.eq(0), self.ended.eq(0)]  # pulses, one register behind the state
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.busy.eq(0)
                with m.If(self.go):
                    m.next = "FETCH"
            with m.State("FETCH"):  # the counter has just returned to 0
                m.next = "LOAD"
            with m.State("LOAD"):
                m.d.sync += [op.as_value().eq(word), counter.eq(counter + 1)]
                m.next = "ISSUE"
            with m.State("ISSUE"):
                m.d.sync += self.issue.eq(Mux(skipped, 0, 1 << op.kind))
                m.d.sync += timer.eq(wait)
                m.next = "WAIT"
                with m.Switch(op.kind):
                    with m.Case(Kind.END):
                        m.d.sync += self.ended.eq(1)
                        m.d.sync += counter.eq(0)
                        m.next = "IDLE"
                    with m.Case(*BLOCKING):
                        m.next = "BLOCKED"
            with m.State("BLOCKED"), m.If(self.done):
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 1):
                    m.next = "LOAD"
        return m

    def _program(self, m: Module, counter: Signal) -> Any:
        tap, words = Tap(m, self.access, None), []
        for n in range(CHUNKS):
            m.submodules[f"program{n}"] = ram = Ram(CHUNK, self.machine.program_depth)
            tap.join(Region.PROGRAM, ram, counter, 0, 0, 0, way=(3, n))
            words.append(ram.rdata)
        m.d.comb += self.reply.as_value().eq(
            tap.reply("reply_register", Reply().const({}).as_value())
        )
        return Cat(words)[: operation.size]
