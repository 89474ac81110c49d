# SPDX-License-Identifier: Apache-2.0
"""Carry-skewed numbers: the low part travels LAG cycles ahead of the high part.

Every carry chain is half as long, and a whole chain of additions pays the skew once. Numbers
without a skew, with a `lag` of 0, are added as a whole.
"""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, signed

from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.timing import LAG

__all__ = ["LAG", "Skew", "add", "hold", "low_bits", "take_product", "tree"]


def low_bits(width: int) -> int:
    """Bits of the low part of a sum of `width` bits, the longer one of the two."""
    return (width + 1) // 2


class Skew:
    """A signed number: `lo`, and `hi` `lag` cycles later; `round` is a pending +1 (with `lo`)."""

    def __init__(self, name: str, low: int, high: int, pending: bool = False, lag: int = LAG):
        self.name, self.lag = name, lag
        self.lo = register(f"{name}_lo", low)
        self.hi: Any = register(f"{name}_hi", signed(high))
        self.round = register(f"{name}_round", 1) if pending else None


def take_product(m: Module, out: Skew, product: Any, drop: int) -> None:
    """out = half-up `product >> drop`, at once; the increment stays pending. Without a drop there
    is none."""
    low = len(out.lo)
    m.d.comb += out.lo.eq(product[drop : drop + low])
    upper = product[drop + low :].as_signed()
    m.d.comb += out.hi.eq(delay(m, upper, out.lag, f"{out.name}_upper"))
    if out.round is not None:
        m.d.comb += out.round.eq(product[drop - 1])


def add(m: Module, name: str, a: Skew | None, b: Skew, high: int) -> Skew:
    """Registered a + b (`a` None: 0) in one cycle.

    One pending increment is absorbed by the carry in; a second one stays pending.
    """
    pending = [s.round for s in (a, b) if s is not None and s.round is not None]
    out = Skew(name, len(b.lo), high, pending=len(pending) > 1, lag=b.lag)
    carry = register(f"{name}_carry", 1)
    a_lo, a_hi = (a.lo, a.hi) if a else (Const(0, len(b.lo)), Const(0, signed(1)))
    enter = pending[0] if pending else Const(0, 1)
    if out.round is not None:
        m.d.sync += out.round.eq(pending[1])
    # a carry enters as an extra low bit: (1, a) + (carry, b), so that no three-input adder arises
    if not b.lag:
        whole = Cat(Const(1, 1), a_lo, a_hi).as_signed() + Cat(enter, b.lo, b.hi).as_signed()
        m.d.sync += Cat(Signal(name=f"{name}_x"), out.lo, out.hi).eq(whole)
        return out
    m.d.sync += Cat(Signal(name=f"{name}_x"), out.lo, carry).eq(
        Cat(Const(1, 1), a_lo) + Cat(enter, b.lo)
    )
    later = delay(m, carry, b.lag - 1, f"{name}_carry")
    total = Cat(Const(1, 1), a_hi).as_signed() + Cat(later, b.hi).as_signed()
    m.d.sync += out.hi.eq(total >> 1)
    return out


def tree(m: Module, name: str, terms: list[Skew]) -> tuple[Skew, int]:
    """Registered adder tree; returns the sum and its levels. One increment may stay pending."""
    level = 0
    while len(terms) > 1:
        following = []
        for n in range(0, len(terms) - 1, 2):
            high = max(len(terms[n].hi), len(terms[n + 1].hi)) + 1
            following.append(add(m, f"{name}_{level}_{n}", terms[n], terms[n + 1], high))
        if len(terms) % 2:
            following.append(hold(m, f"{name}_{level}_odd", terms[-1]))
        terms, level = following, level + 1
    return terms[0], level


def hold(m: Module, name: str, a: Skew) -> Skew:
    """`a` one cycle later."""
    out = Skew(name, len(a.lo), len(a.hi), pending=a.round is not None, lag=a.lag)
    m.d.sync += [out.lo.eq(a.lo), out.hi.eq(a.hi)]
    if a.round is not None and out.round is not None:
        m.d.sync += out.round.eq(a.round)
    return out
