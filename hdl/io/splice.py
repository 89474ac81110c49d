# SPDX-License-Identifier: Apache-2.0
"""The order in which a ring is read whose frames came in another: a piece of it before another."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.ring import POINTER_BITS

__all__ = ["Splice"]

COMMITS = 4  # cycles that a ring takes to commit a frame


class Splice(wiring.Component):
    """Frames that came early stand in the ring before those that were missing:

        ... in order | A early | C missing | D in order ...

    A reader is held at A while any is missing. Then it goes on at C, from D on at A, and from C on
    at D. What it has read of C to D keeps its place in the ring until it comes to D.

    Members
    -------
    end : of the ring
    opens, fills, closes : with a commit to the ring: of the first early frame, of a missing one, of
        the last missing one
    free : nothing is out of order
    address : of the reader
    limit : it may read up to there; then go on at `target` if it `may_turn`, and says that it
        `turns`; none of these changes otherwise while it stands at `limit`
    base : of the oldest byte that is still wanted, a cycle late
    """

    end: Any
    opens: Any
    fills: Any
    closes: Any
    free: Any
    address: Any
    limit: Any
    target: Any
    may_turn: Any
    turns: Any
    base: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "end": In(POINTER_BITS),
                **{name: In(1) for name in ("opens", "fills", "closes")},
                "free": Out(1),
                "address": In(POINTER_BITS),
                "limit": Out(POINTER_BITS),
                "target": Out(POINTER_BITS),
                "may_turn": Out(1),
                "turns": In(1),
                "base": Out(POINTER_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        limit, target, third = self.limit, self.target, Signal(POINTER_BITS)
        timer, holds = Signal(range(COMMITS)), Signal()
        with m.If(~holds):
            m.d.sync += self.base.eq(self.address)

        def turned(after: str) -> None:
            """A, C and D change places."""
            m.d.comb += self.may_turn.eq(1)
            with m.If(self.turns):
                m.d.sync += [limit.eq(third), target.eq(limit), third.eq(target)]
                m.next = after

        with m.FSM():
            with m.State("FREE"):  # the end rests for longer than a commit when another one comes
                m.d.comb += self.free.eq(1)
                m.d.sync += [limit.eq(self.end), target.eq(self.end), third.eq(self.end)]
                with m.If(self.opens):
                    m.next = "OPEN"
            with m.State("OPEN"):
                m.d.sync += [target.eq(self.end), third.eq(self.end), timer.eq(COMMITS - 1)]
                with m.If(self.closes):
                    m.next = "CLOSE"
                with m.Elif(self.fills):
                    m.next = "FILL"
            with m.State("FILL"):
                with m.If(self.closes):
                    m.next = "CLOSE"
            with m.State("CLOSE"):
                m.d.sync += [third.eq(self.end), timer.eq(timer - 1)]
                with m.If(timer == 0):
                    m.next = "EARLY"
            with m.State("EARLY"):
                turned(after="MISSING")
            with m.State("MISSING"):
                m.d.comb += holds.eq(1)
                turned(after="KEPT")
            with m.State("KEPT"):
                m.d.comb += self.may_turn.eq(1)
                with m.If(self.turns):  # the reader looks at `limit` two cycles later
                    m.next = "FREE"
        return m
