# SPDX-License-Identifier: Apache-2.0
"""Words of the memories: how many of their bits count, and signed numbers in them."""

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, OUTPUT_SUM_BITS, Region
from antevolt.hdl.spec.moments import WORD

__all__ = ["SHIFT_BITS", "signed", "word_bits"]

SHIFT_BITS = 6  # of a coefficient, above its mantissa


def word_bits(machine: Machine, region: Region) -> int:
    """Bits of one word of a region; what a core answers above them has no meaning."""
    f = machine.formats
    return {
        Region.WEIGHTS: 2 * f.word,
        Region.GRADIENTS: f.g.width,
        Region.COEFFICIENTS: f.word + SHIFT_BITS,
        Region.RATES: 2 * f.word,
        Region.STATE: f.u.width,
        Region.PARTNER: f.word,
        Region.Q: f.word,
        Region.OUTPUT: f.word,
        Region.PHI: 2 * f.word,
        Region.MOMENTS: WORD * machine.moments,
        Region.SUMS: OUTPUT_SUM_BITS,
    }.get(region, DATA_BITS)


def signed(words: ArrayLike, bits: int) -> Raw:
    """The numbers in the low `bits` of words, in two's complement."""
    half = 1 << (bits - 1)
    low = np.asarray(words, dtype=np.int64) & ((1 << bits) - 1)
    return (low ^ half) - half
