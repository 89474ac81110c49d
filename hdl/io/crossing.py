# SPDX-License-Identifier: Apache-2.0
"""Between two clocks: the link on its own slower one, the core's ports on the other side."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out, connect, flipped

from antevolt.hdl.io.dispatcher import ACCESS_BITS
from antevolt.hdl.io.handover import Handover
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS

__all__ = ["Crossing"]

CLOSED, RESET = 63, 31  # cycles from a restart: nothing passes; the core is in reset until RESET
SEEN = 15  # cycles after an input in which the core's `busy` may not have come back yet


class Crossing(wiring.Component):
    """Words from the domain `link` to `sync` and back, for any two clocks of which that of `sync`
    is the faster or the same.

    Members
    -------
    x, y, access, out, answer, busy : the core's ports, towards the link
    restart : the link's: forget what is under way, and reset the core
    core_x, core_y, core_access, core_out, core_answer, core_busy : towards the core, domain `sync`
    core_restart : the core is in reset, domain `sync`; also from power-up on

    Outputs and answers go one way, so that an answer still follows all outputs before it. A word
    at a time is on each way (`handover.Handover`), which is faster than the serial line by far. A
    restart takes CLOSED cycles of the link: the core is in reset for half of them, and what is
    under way is lost.
    """

    x: Any
    y: Any
    access: Any
    out: Any
    answer: Any
    busy: Any
    restart: Any
    core_x: Any
    core_y: Any
    core_access: Any
    core_out: Any
    core_answer: Any
    core_busy: Any
    core_restart: Any

    def __init__(self, machine: Machine):
        word = machine.formats.word
        inward = {"x": word + INPUT_FLAG_BITS, "y": word, "access": ACCESS_BITS}
        outward = {"out": word + FLAG_BITS, "answer": DATA_BITS}
        super().__init__(
            {
                **{name: In(stream.Signature(width)) for name, width in inward.items()},
                **{name: Out(stream.Signature(width)) for name, width in outward.items()},
                "busy": Out(1),
                "restart": In(1),
                **{f"core_{name}": Out(stream.Signature(n)) for name, n in inward.items()},
                **{f"core_{name}": In(stream.Signature(n)) for name, n in outward.items()},
                "core_busy": In(1),
                "core_restart": Out(1, init=1),
            }
        )
        self.inward = tuple(inward)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left, self.closed, reset = Signal(range(CLOSED + 1), init=CLOSED), Signal(), Signal(init=1)
        m.d.comb += self.closed.eq(left.any())
        m.d.link += [left.eq(left - left.any()), reset.eq(left > CLOSED - RESET)]
        with m.If(self.restart):
            m.d.link += left.eq(CLOSED)
        m.submodules.resets = FFSynchronizer(reset, self.core_restart, init=1)
        for name in self.inward:
            self._in(m, name)
        self._out(m)
        self._busy(m)
        return m

    def _in(self, m: Module, name: str) -> None:
        near, far = getattr(self, name), getattr(self, f"core_{name}")
        m.submodules[name] = way = Handover(len(near.payload), "link", "sync")
        connect(m, way.o, flipped(far))
        m.d.comb += [
            *(way.i.payload.eq(near.payload), way.i.valid.eq(near.valid)),
            *(near.ready.eq(way.i.ready), way.closed.eq(self.closed)),
        ]

    def _out(self, m: Module) -> None:
        """Outputs first; a bit says which it is."""
        word, answer = self.core_out, self.core_answer
        m.submodules.back = way = Handover(1 + DATA_BITS, "sync", "link")
        wide = Cat(word.payload, Const(0, DATA_BITS - len(word.payload)))
        is_answer, payload = way.o.payload[0], way.o.payload[1:]
        shows = way.o.valid & ~self.closed
        m.d.comb += [
            way.i.payload.eq(Cat(~word.valid, Mux(word.valid, wide, answer.payload))),
            way.i.valid.eq(word.valid | answer.valid),
            *(word.ready.eq(way.i.ready), answer.ready.eq(way.i.ready & ~word.valid)),
            *(self.out.payload.eq(payload), self.answer.payload.eq(payload)),
            *(self.out.valid.eq(shows & ~is_answer), self.answer.valid.eq(shows & is_answer)),
            way.o.ready.eq(Mux(is_answer, self.answer.ready, self.out.ready)),
            way.drops.eq(self.closed),
        ]

    def _busy(self, m: Module) -> None:
        """An input on its way counts as a step that runs."""
        runs, there, way = Signal(), Signal(), Signal(range(SEEN + 1))
        m.d.sync += runs.eq(self.core_busy | self.core_x.valid)  # both from registers
        m.submodules.steps = FFSynchronizer(runs, there, o_domain="link")
        with m.If(self.x.valid & self.x.ready):
            m.d.link += way.eq(SEEN)
        with m.Elif(way.any()):
            m.d.link += way.eq(way - 1)
        m.d.comb += self.busy.eq(there | way.any() | self.closed)
