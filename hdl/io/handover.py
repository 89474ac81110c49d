# SPDX-License-Identifier: Apache-2.0
"""One word at a time from one clock to another."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.registers import KEEP, register

__all__ = ["Handover"]


class Handover(wiring.Component):
    """Words of `width` bits from the domain `source` to `target`, each once and in order.

    Members
    -------
    i : a word enters;  closed : none does
    o : it leaves;  drops : what is under way is forgotten

    A word takes about four cycles of either clock; the next one enters when it has left, after as
    many again. A bit that turns with every word goes one way and comes back the other; the word
    rests until it has. These bits know no reset, so that either domain may be reset alone: what
    arrives in a reset of `target` is lost, nothing else.
    """

    i: Any
    closed: Any
    o: Any
    drops: Any

    def __init__(self, width: int, source: str, target: str):
        self.source, self.target = source, target
        super().__init__(
            {
                "i": In(stream.Signature(width)),
                "closed": In(1),
                "o": Out(stream.Signature(width)),
                "drops": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        near, far = m.d[self.source], m.d[self.target]
        held, shown = (register(name, len(self.i.payload)) for name in ("held", "shown"))
        sent, taken, pull = (register(name, 1) for name in ("sent", "taken", "pull"))
        back, seen, there = Signal(), Signal(), Signal()
        open_, holds = Signal(), Signal(attrs=KEEP)  # the same, for the word
        m.submodules.way = FFSynchronizer(sent, seen, o_domain=self.target)
        m.submodules.way_back = FFSynchronizer(taken, back, o_domain=self.source)
        # all that others hear comes from registers, and hangs on few of them
        enters = self.i.valid & self.i.ready
        m.d.comb += self.i.ready.eq(open_ & ~self.closed)
        near += [one.eq((sent == back) & ~enters) for one in (open_, holds)]
        near += sent.eq(sent ^ enters)
        with m.If(holds):
            near += held.eq(self.i.payload)
        m.d.comb += [there.eq(self.o.valid & ~self.o.ready), self.o.payload.eq(shown)]
        far += [
            *(pull.eq((seen != taken) & ~pull & ~there), taken.eq(taken ^ pull)),
            self.o.valid.eq((there | pull) & ~self.drops),
        ]
        with m.If(pull):
            far += shown.eq(held)
        return m
