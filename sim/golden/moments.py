# SPDX-License-Identifier: Apache-2.0
"""Moments: small floats that follow the gradient slowly, x <- x + (t - x) / 2^k.

    x = (-1)^sign 1.f 2^(exponent - bias), 0 where the exponent is 0      (`hdl.spec.moments`)

The new x is computed with `TAIL` more bits, which random bits round. Twins: `magnitude` of
`hdl/core/magnitude.py`, `average` of `hdl/core/average.py`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.dither import BITS
from antevolt.hdl.spec.moments import (
    EXPONENTS,
    FRACTION,
    MAGNITUDE,
    MANTISSA,
    ONE,
    SQUARE_BITS,
    SQUARES,
    TAIL,
)

__all__ = ["Small", "average", "magnitude", "split"]

Integers = NDArray[np.int64]
POINT = FRACTION + TAIL  # fractional bits of the sums
WIDTH = POINT + 3  # bits of the sums, sign excepted
ALIGN = 31  # most that a summand is shifted


class Small(NamedTuple):
    """A float in fields: `mantissa` with the leading one, or 0; `negative` is 0 or 1."""

    negative: Integers
    exponent: Integers
    mantissa: Integers


def split(words: Integers, which: int) -> Small:
    """The fields of moment words: 0 is m, 1 is v."""
    bits = EXPONENTS[which]
    exponent = words >> FRACTION & (1 << bits) - 1
    mantissa = np.where(exponent > 0, words & ONE - 1 | ONE, 0)
    return Small(words >> FRACTION + bits & 1 - which, exponent, mantissa)


def magnitude(gradients: Integers) -> tuple[Small, Small]:
    """G and G^2 as floats with MANTISSA fractional bits, in the exponents of m and of v."""
    size = np.abs(gradients)
    length = _length(size)
    mantissa = size << MAGNITUDE - length >> MAGNITUDE - MANTISSA - 1
    exponent = np.where(size > 0, 2 ** EXPONENTS[0] - 1 - MAGNITUDE + length, 0)
    place = mantissa >> MANTISSA - SQUARE_BITS & (1 << SQUARE_BITS) - 1
    square = np.where(size > 0, np.array(SQUARES)[place] << MANTISSA - FRACTION, 0)
    negative = (gradients < 0).astype(np.int64)
    return Small(negative, exponent, mantissa), Small(0 * negative, 2 * exponent, square)


def average(words: Integers, target: Small, k: int, random: Integers, which: int) -> Integers:
    """New moment words; `random`: BITS random bits for each. k = 0 forgets the old ones."""
    x = split(words if k else np.zeros_like(words), which)
    lead = target.exponent - k
    top = np.maximum(x.exponent, lead)
    own = x.mantissa << TAIL >> np.minimum(top - x.exponent, ALIGN)
    change = target.mantissa << POINT - MANTISSA >> np.minimum(top - lead, ALIGN)
    same = x.negative == target.negative
    total = own - (own >> k) + np.where(same, change, -change)
    size = np.abs(total)
    length = _length(size)
    exponent = top + length - (WIDTH - 2)
    rounded = (size << WIDTH - length) + (random << TAIL + 2 - BITS)
    exponent += rounded >> WIDTH
    there = (size > 0) & (top + length > WIDTH - 2)
    word = (exponent << FRACTION) + (rounded >> TAIL + 2 & ONE - 1)
    word += (x.negative ^ (total < 0)) << FRACTION + EXPONENTS[which]
    return np.where(there, word, 0)


def _length(numbers: Integers) -> Integers:
    """Bits of numbers from 0 to 2^53."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64)
