# SPDX-License-Identifier: Apache-2.0
"""Words of the memories: how many of their bits count, and signed numbers in them."""

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, OUTPUT_SUM_BITS, Region
from antevolt.hdl.spec.moments import WORD
from antevolt.sim.golden.arithmetic import signed
from antevolt.sim.golden.memories import SHIFT_BITS

__all__ = ["signed", "word_bits"]


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
