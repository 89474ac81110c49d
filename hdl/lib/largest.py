# SPDX-License-Identifier: Apache-2.0
"""The largest of the numbers so far, one per cycle, with only a choice behind a comparison."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal

from antevolt.hdl.lib.registers import register

__all__ = ["largest"]

LATENCY = 2
PART = 11


def largest(m: Module, value: Any, first: Any, live: Any, kept: Any) -> tuple[Any, Any]:
    """Drives `kept` with the largest of the `live` values, from the last one on that was `first`,
    LATENCY cycles later; of equal ones the first stays.

    Returns (it changes at the end of this cycle, what it changes to: the value a cycle before).

    A value is compared with the one of the cycle before it, and with the largest of those before
    that, since it takes a cycle to find which of the two is larger.
    """
    before = register("before", value.shape())
    head, won, there, takes = register("head", 1), register("won", 1), Signal(), Signal()
    exceeds, follows = _exceeds(m, value, kept, "exceeds"), _exceeds(m, value, before, "follows")
    m.d.comb += takes.eq(there & (head | Mux(won, follows, exceeds)))
    m.d.sync += [before.eq(value), there.eq(live), head.eq(first), won.eq(takes)]
    with m.If(takes):
        m.d.sync += kept.eq(before)
    return takes, before


def _exceeds(m: Module, a: Any, b: Any, name: str) -> Any:
    """a > b, a cycle later: parts of PART bits are compared each by itself, by the sign of their
    difference, behind which nothing stands."""
    found: Any = 0
    for low in range(0, len(a), PART):
        x, y = a[low : low + PART], b[low : low + PART]
        if low + PART >= len(a):
            x, y = x.as_signed(), y.as_signed()
        over, same = register(f"{name}_over{low}", 1), register(f"{name}_same{low}", 1)
        m.d.sync += [over.eq((y - x)[-1]), same.eq(x == y)]
        found = over | same & found
    return found
