# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the machine on whole numbers held in float64, where it is exact and fast.

Every number of the machine is below 2^53, and a product of two words scaled by a power of two keeps
its at most 36 significant bits, so that nothing below is ever rounded but where the machine rounds.
Adding the half of `half_up` may be inexact only for |x| < 1/4, whose result 0 that cannot change.
`hdl.spec.roundings` lists all roundings.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.formats import Formats, Raw
from antevolt.hdl.spec.roundings import PRE

__all__ = ["Limits", "Whole", "factors", "half_up", "lookup", "narrow", "product", "signed"]

Whole = NDArray[np.float64]
"""Whole numbers held in float64."""


def half_up(value: Whole, shift: int) -> Whole:
    """`value / 2**shift`, ties up, in place."""
    value *= 2.0**-shift
    value += 0.5
    return np.floor(value, out=value)


def signed(words: ArrayLike, bits: int) -> Raw:
    """The numbers in the low `bits` of words, in two's complement."""
    half = 1 << (bits - 1)
    low = np.asarray(words, dtype=np.int64) & ((1 << bits) - 1)
    return (low ^ half) - half


def factors(words: NDArray[np.int64], formats: Formats) -> Whole:
    """What coefficient words (mantissa, shift above it) multiply by: m 2^(PRE - shift)."""
    mantissa = signed(words, formats.word)
    return np.ldexp(mantissa.astype(np.float64), (PRE - (words >> formats.word)).astype(np.int32))


def product(a: Whole, factor: Whole | float, base: Whole) -> Whole:
    """base + half_up(a factor): the filter's product, not yet saturated; a new array."""
    total = a * factor
    total += 0.5
    np.floor(total, out=total)
    total += base
    return total


class Limits:
    """The range of a word of `bits` bits."""

    def __init__(self, bits: int):
        self.low, self.high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1

    def holds(self, value: Whole) -> bool:
        """No element needs to be limited."""
        return bool(
            np.minimum.reduce(value, axis=None) >= self.low
            and np.maximum.reduce(value, axis=None) <= self.high
        )

    def outside(self, value: Whole) -> NDArray[np.bool_]:
        """Which elements need to be limited."""
        return (value < self.low) | (value > self.high)

    def clip(self, value: Whole) -> Whole:
        """`value` limited, in place."""
        return np.clip(value, self.low, self.high, out=value)


def narrow(wide: Whole, formats: Formats) -> tuple[Whole, NDArray[np.bool_] | None]:
    """A product read as a word, in place: limited, then without the guard bits.

    Returns the words, and which elements were limited at either place (None: none was).
    Limiting once does both: what the wide word limits, the narrow word limits to the same value.
    """
    top = 2.0 ** (formats.word + formats.guard - 1)
    low, high = -top, top - 2.0 ** (formats.guard - 1) - 1  # above, half_up leaves the word's range
    limited: NDArray[np.bool_] | None = None
    if np.minimum.reduce(wide, axis=None) < low or np.maximum.reduce(wide, axis=None) > high:
        limited = (wide < low) | (wide > high)
        np.clip(wide, low, high, out=wide)
    return half_up(wide, formats.guard), limited


def lookup(words: NDArray[np.int64], formats: Formats, phi_log2: int) -> NDArray[np.float32]:
    """What a table answers for every p of the core, [2^word] from the lowest p up.

    words  [2^phi_log2] as in the PHI region: value low, slope above. float32 holds a word exactly.
    """
    word = formats.word
    value, slope = (signed(words >> n, word) for n in (0, word))
    inside = word - phi_log2
    fraction = np.arange(1 << inside, dtype=np.float64)
    wide = product(
        slope.astype(np.float64)[:, None],
        fraction * 2.0 ** -(word - 2 - formats.guard),
        value.astype(np.float64)[:, None] * 2.0**formats.guard,
    )
    return narrow(wide, formats)[0].astype(np.float32).reshape(-1)
