# SPDX-License-Identifier: Apache-2.0
"""Moments of the gradients: rules of an APPLY, the small floats they are kept in, and their tables.

A moment word has `WORD` bits, a float without sign or with: mantissa 1.f (`FRACTION` bits of f),
above it the exponent, above that the sign. Exponent 0 is zero. The first moment m (sign, 6 bits of
exponent) spans 2^-27 .. 2^36 in units of a raw gradient, the second v (no sign, 7 bits) its square.
"""

from enum import IntEnum
from math import sqrt

__all__ = [
    "CARRYING", "EXPONENTS", "FRACTION", "KEYS", "MAGNITUDE", "MANTISSA", "NEEDS", "ONE", "ROOTS",
    "ROOT_BITS", "SCALE", "SLOWEST", "SQUARES", "SQUARE_BITS", "TAIL", "WORD", "ZERO", "Rule",
    "knows",
]  # fmt: skip


class Rule(IntEnum):
    """What an APPLY does; the operand `table` of the operation."""

    SGD = 0  # W += eta G
    MOMENTUM = 1  # m <- m + (G - m) / 2^k, W += eta m
    SIGN = 2  # W += eta sign(m)
    ADAM = 3  # v <- v + (G^2 - v) / 2^k2, W += eta m / sqrt(v)
    MOMENTUM_SUM = 4  # W += eta G, G <- G - half_up(G / 2^k)
    SIGN_SUM = 5  # W += eta sign(G), G likewise


NEEDS = dict.fromkeys(Rule, 0) | {Rule.MOMENTUM: 1, Rule.SIGN: 1, Rule.ADAM: 2}
"""Moments per weight that a rule needs (`Machine.moments`)."""

CARRYING = frozenset({Rule.MOMENTUM_SUM, Rule.SIGN_SUM})
"""Rules that keep the moment in the gradient's own word: an APPLY carries part of the sum on, and
no sweep starts it anew. Those with bit 2."""


def knows(moments: int, carry: bool, rule: Rule) -> bool:
    """A core with so many moments per weight, and `Machine.carry`, has the rule."""
    return NEEDS[rule] <= moments and (carry or rule not in CARRYING)


SLOWEST = 15
"""The largest k of a moment."""

WORD = 18
FRACTION = 11
EXPONENTS = (6, 7)
"""Bits of the exponent of m and of v."""
ZERO = 28
"""The exponent field of m at 1 <= |m| < 2 raw gradients; that of v at 1 <= v < 4 is twice that."""

MAGNITUDE = 36
"""Bits of |G|, at any word length."""
MANTISSA = 16
"""Fractional bits of what a moment moves to: |G| (cut off) or G^2 (from a table)."""
TAIL = 15
"""Bits below a moment's mantissa that its change is computed with."""

SCALE = 16
"""A step of sign or adam is eta 2^SCALE sign(m), eta 2^SCALE m / sqrt(v), in raw weights."""
ONE = 1 << FRACTION
"""A mantissa of one; also one half among the roots."""

SQUARE_BITS = 7
SQUARES = tuple(
    round((1 + (i + 0.5) / (1 << SQUARE_BITS)) ** 2 * ONE) for i in range(1 << SQUARE_BITS)
)
"""The square of a mantissa by its leading bits, FRACTION fractional bits; 1 .. 4."""

ROOT_BITS = 6
ROOTS = tuple(
    round(2 * ONE / sqrt((1 + odd) * (1 + (i + 0.5) / (1 << ROOT_BITS))))
    for odd in range(2)
    for i in range(1 << ROOT_BITS)
)
"""1/sqrt of a mantissa, times 2 where the exponent field is odd, by its leading bits;
FRACTION + 1 fractional bits, 1/2 .. 1."""

KEYS = (0x9E3779B9, 0x7F4A7C15)
"""What the key of the random bits is xor-ed with for those that round m and v."""
