# SPDX-License-Identifier: Apache-2.0
"""The rules of an APPLY: new moments, and what moves the weights in place of the gradient.

A direction is a whole number as long as a gradient, and how far it is shifted down:

    G at k                                                      sgd
    m, 2^SCALE sign(m) or 2^SCALE m / sqrt(v), at the top, at k and what that takes       the others

Twin of `hdl/core/direction.py`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.moments import (
    EXPONENTS,
    FRACTION,
    ONE,
    ROOT_BITS,
    ROOTS,
    SCALE,
    WORD,
    ZERO,
    Rule,
)
from antevolt.sim.golden.moments import Small, average, magnitude, split

__all__ = ["Decay", "Direction", "direction"]

Integers = NDArray[np.int64]
SHIFTS = 63  # largest


@dataclass(frozen=True)
class Decay:
    """The rule and its two k: x <- x + (t - x) / 2^k."""

    rule: Rule
    first: int = 0
    second: int = 0


class Direction(NamedTuple):
    """A whole number and the right shift of its change."""

    number: Integers
    shift: Integers


def direction(
    gradients: Integers,
    moments: Integers,
    decay: Decay,
    eta_k: int,
    random: tuple[Integers, Integers],
    width: int,
) -> tuple[Direction, Integers]:
    """The direction and the new moment words (v is 0 where the rule has none).

    random  rounds m and v;  width  of G
    """
    if decay.rule == Rule.SGD:
        return Direction(gradients, np.full_like(gradients, eta_k)), moments
    low = (1 << WORD) - 1
    target, square = magnitude(gradients)
    first = average(moments & low, target, decay.first, random[0], 0)
    second = np.zeros_like(first)
    if decay.rule == Rule.ADAM:
        second = average(moments >> WORD, square, decay.second, random[1], 1)
    number, exponent = _quotient(decay.rule, split(first, 0), split(second, 1))
    above = width - 1 - 2 * (FRACTION + 1)
    shift = np.clip(eta_k + width - 2 + ZERO - exponent, 0, SHIFTS)
    return Direction(number << above, shift), second << WORD | first


def _quotient(rule: Rule, m: Small, v: Small) -> tuple[Integers, Integers]:
    """The signed product of two mantissas, 2 (FRACTION + 1) bits, and its exponent field."""
    own, root, exponent = m.mantissa, np.full_like(m.mantissa, ONE), m.exponent + 1
    if rule == Rule.SIGN:
        own, exponent = np.where(own > 0, ONE, 0), np.full_like(exponent, ZERO + SCALE + 1)
    elif rule == Rule.ADAM:
        place = (v.exponent & 1) << ROOT_BITS | v.mantissa >> FRACTION - ROOT_BITS & (
            (1 << ROOT_BITS) - 1
        )
        root = np.where(v.mantissa > 0, np.array(ROOTS)[place], 0)
        exponent = m.exponent - (v.exponent >> 1) + ZERO + SCALE
    return np.where(m.negative, -own, own) * root, exponent


if EXPONENTS[0] + FRACTION + 1 != WORD or EXPONENTS[1] + FRACTION != WORD:
    raise RuntimeError("the fields of a moment do not fill its word")
