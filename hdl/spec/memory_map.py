# SPDX-License-Identifier: Apache-2.0
"""The memories a host can read and write through the core's access port, and the registers."""

from dataclasses import dataclass
from enum import IntEnum

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.program import STRIDE

__all__ = [
    "DATA_BITS",
    "INDEX_BITS",
    "KINDS",
    "OUTPUT_SUM_BITS",
    "READ_ONLY",
    "SUM_BITS",
    "UNIT_BITS",
    "Address",
    "Region",
    "Register",
]

DATA_BITS = 36
INDEX_BITS = 16
UNIT_BITS = 8
SUM_BITS = 32  # of a sum of exponentials
OUTPUT_SUM_BITS = 32  # of a sum of outputs over a sequence

KINDS = ("drive", "d", "u", "p", "q", "beta", "delta", "v", "e", "w")
"""Saturations that are counted, in the order of their registers (see `roundings.TABLE`)."""


class Region(IntEnum):
    """A memory. `unit` is a row, a column or 0; `index` counts words within it."""

    PROGRAM = 0  # index = operation * 8 + chunk
    WEIGHTS = 1  # unit = row; a pair of weights, the even column low
    GRADIENTS = 2  # unit = row; index = 2 * pair + half
    COEFFICIENTS = 3  # index = (neuron * 2 + mode) * 4 + which; mantissa, shift above it
    RATES = 4  # unit = column; a pair of rates
    STATE = 5  # unit = column; index = neuron * 2 + mode: u, v
    PARTNER = 6  # unit = column; index = neuron * 2 + mode: e (MEMBRANE reads it), r' (ERROR does)
    Q = 7  # unit = column; index = neuron
    OUTPUT = 8  # unit = column; index = output
    PHI = 9  # index = (table * 2 + which) << phi_log2 | interval; value low, slope high
    REGISTERS = 10  # index = Register
    MOMENTS = 11  # unit = row; index = 2 * pair + half; m, above it v (`spec.moments`)
    TIMES = 12  # index = 4 * coefficient + which: tau_m, tau_r, and the sums that move them
    SUMS = 13  # unit = column; index as in OUTPUT: sums of outputs over a sequence


class Register(IntEnum):
    """Registers; counters hold 36 bits and are cleared by writing anything to them."""

    STEP = 0  # steps done: feeds the random bits of stochastic rounding; writable
    SEED = 1  # of the random bits; writable
    APPLY_EVERY = 2  # learning steps from one APPLY to the next; writable
    LEARNED = 3  # learning steps since the last APPLY; writable
    CYCLES = 4  # clock cycles since reset or since cleared
    BUSY = 5  # cycles inside a step, stalls included
    STALLED_INPUT = 6  # cycles inside a step spent waiting for an input or a target
    STALLED_OUTPUT = 7  # cycles inside a step spent waiting for the output to be taken
    SLOTS = 8  # array slots issued by FORWARD and BACK
    OUTPUT_MODE = 9  # which outputs leave the core (`spec.outputs`); writable
    OUTPUT_EVERY = 10  # steps from one output to the next, in mode EVERY; writable
    OUTPUT_PASSED = 11  # steps since then; writable
    OUTPUT_SHIFT = 12  # a sum is put out divided by 2 to this; writable
    SATURATED_SUMS = 13  # sums that were beyond their 32 bits, or beyond a word when put out
    SATURATED = 16  # + index in KINDS: saturations
    CORE_KIND = 32  # what this core is, six words (`spec.description`); writes change nothing
    CORE_ARRAY = 33
    CORE_TILES = 34
    CORE_DEPTHS = 35
    CORE_FORMATS = 36
    CORE_FEATURES = 37


READ_ONLY = frozenset(register for register in Register if register >= Register.CORE_KIND)
"""Registers that writes do not change."""


@dataclass(frozen=True)
class Address:
    """A word of a region."""

    region: Region
    unit: int
    index: int

    def encode(self) -> int:
        return (int(self.region) << UNIT_BITS | self.unit) << INDEX_BITS | self.index


def size(machine: Machine, region: Region) -> tuple[int, int]:
    """How many units and words per unit a region of this core has."""
    m, one = machine, 1
    return {
        Region.PROGRAM: (one, m.program_depth * STRIDE),
        Region.WEIGHTS: (m.rows, m.w_depth),
        Region.GRADIENTS: (m.rows, 2 * m.w_depth),
        Region.COEFFICIENTS: (one, 2 * m.coefficient_depth * 4),
        Region.RATES: (m.streams, m.r_depth),
        Region.STATE: (m.streams, 2 * m.state_depth),
        Region.PARTNER: (m.streams, 2 * m.state_depth),
        Region.Q: (m.streams, m.state_depth),
        Region.OUTPUT: (m.streams, m.io_depth),
        Region.PHI: (one, 2 * m.tables << m.phi_log2),
        Region.REGISTERS: (one, len(READ_ONLY) + Register.CORE_KIND),
        Region.MOMENTS: (m.rows, 2 * m.w_depth if m.moments else 0),
        Region.TIMES: (one, 4 * m.coefficient_depth if m.time_constants else 0),
        Region.SUMS: (m.streams, m.io_depth if m.sums else 0),
    }[region]
