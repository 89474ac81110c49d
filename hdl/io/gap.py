# SPDX-License-Identifier: Apache-2.0
"""The order of frames at the parser: the next one, and those that are kept behind a gap."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.ring import POINTER_BITS
from antevolt.hdl.spec.link import GAP_BITS, GAP_MOST

__all__ = ["Gap"]

SETTLED = 3  # cycles


class Gap(wiring.Component):
    """Counts, from `expected` on, the frames that are `missing`, and those `until` the end of what
    is kept behind them; both are 0 when nothing is. One gap at a time: once a missing frame has
    come, only missing ones are taken until the last of them has, and then the next frame expected
    is the one behind all that are kept. `selective` false: nothing is kept.

    Members
    -------
    sequence : of a frame; SETTLED cycles later, and as long since `commit` or `restart`:
    known : it had come before;  strange : it cannot be taken now;  ahead : it is not the next one
    commit : it is kept (neither known nor strange);  restart : `sequence` is expected
    free : a gap may open
    opens, fills, closes : with `commit`: the first one behind a gap; a missing one; the last one
    """

    sequence: Any
    known: Any
    strange: Any
    ahead: Any
    commit: Any
    restart: Any
    free: Any
    expected: Any
    missing: Any
    until: Any
    opens: Any
    fills: Any
    closes: Any

    def __init__(self, selective: bool):
        self.selective = selective
        flags = ("known", "strange", "ahead", "opens", "fills", "closes")
        super().__init__(
            {
                "sequence": In(POINTER_BITS),
                **{name: Out(1) for name in flags},
                **{name: In(1) for name in ("commit", "restart", "free")},
                "expected": Out(POINTER_BITS),
                "missing": Out(GAP_BITS),
                "until": Out(GAP_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.distance, self.goes = Signal(POINTER_BITS), Signal(GAP_BITS, init=1)
        m.d.sync += [
            self.distance.eq(self.sequence - self.expected),
            self.ahead.eq(self.distance.any()),
            self.known.eq(self.distance[-1]),
            self.strange.eq(self.distance.any() & ~self.distance[-1]),
        ]
        if self.selective:
            self._keep(m)
        else:
            m.d.comb += self.goes.eq(1)
        with m.If(self.restart):
            m.d.sync += self.expected.eq(self.sequence)
        with m.Elif(self.commit & ~self.ahead):
            m.d.sync += self.expected.eq(self.expected + self.goes)
        return m

    def _keep(self, m: Module) -> None:
        """What is kept, and where that leaves the gap."""
        distance, missing, until = self.distance, self.missing, self.until
        gap, begun, last = Signal(), Signal(), Signal()
        near = Signal()
        low = distance[:GAP_BITS]
        m.d.comb += near.eq(~distance[GAP_BITS:].any())
        inside = near & (low >= missing) & (low < until)
        opens = near & ~gap & self.free & (low < GAP_MOST)
        follows = near & gap & ~begun & (low == until) & ~until.all()
        m.d.sync += [
            self.known.eq(distance[-1] | inside),
            self.strange.eq(distance.any() & ~distance[-1] & ~inside & ~opens & ~follows),
            last.eq(missing == 1),
            self.goes.eq(Mux(missing == 1, until, 1)),
        ]
        m.d.comb += [
            self.opens.eq(self.commit & self.ahead & ~gap),
            self.fills.eq(self.commit & ~self.ahead & gap),
            self.closes.eq(self.fills & last),
        ]
        with m.If(self.restart | self.closes):
            m.d.sync += [missing.eq(0), until.eq(0), gap.eq(0), begun.eq(0)]
        with m.Elif(self.fills):
            m.d.sync += [missing.eq(missing - 1), until.eq(until - 1), begun.eq(1)]
        with m.Elif(self.opens):
            m.d.sync += [missing.eq(low), until.eq(low + 1), gap.eq(1)]
        with m.Elif(self.commit & self.ahead):
            m.d.sync += until.eq(until + 1)
