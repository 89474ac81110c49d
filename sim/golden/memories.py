# SPDX-License-Identifier: Apache-2.0
"""The memories of a core, word for word as in the gateware.

Numbers are kept as float64, which holds every integer of the machine exactly (all are below 2^53),
so that sums are matrix products. Outside, words are unsigned, in the format of the access port.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.description import described
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import (
    DATA_BITS,
    KINDS,
    OUTPUT_SUM_BITS,
    READ_ONLY,
    Region,
    Register,
    size,
)
from antevolt.hdl.spec.moments import WORD
from antevolt.hdl.spec.outputs import MODE_BITS
from antevolt.hdl.spec.outputs import SHIFT_BITS as OUTPUT_SHIFT_BITS
from antevolt.hdl.spec.program import CHUNK, CHUNKS, STRIDE
from antevolt.sim.golden.arithmetic import signed

__all__ = ["SHIFT_BITS", "Exact", "Memories"]

Exact = NDArray[np.float64]
"""Integers as float64."""

SHIFT_BITS = 6  # of a coefficient, above its mantissa
COEFFICIENTS = 3  # words of the four per neuron and mode that are there
WRITABLE: dict[int, int] = {
    **dict.fromkeys((Register.STEP, Register.SEED, Register.APPLY_EVERY, Register.LEARNED), 32),
    **dict.fromkeys((Register.OUTPUT_EVERY, Register.OUTPUT_PASSED), 32),
    Register.OUTPUT_MODE: MODE_BITS,
    Register.OUTPUT_SHIFT: OUTPUT_SHIFT_BITS,
}
"""Bits of registers that a write does not clear."""
REGISTERS = frozenset(Register) - READ_ONLY | {Register.SATURATED + n for n in range(len(KINDS))}
SATURATIONS = (Register.SATURATED_SUMS, *(Register.SATURATED + n for n in range(len(KINDS))))
"""Those that a core without `Machine.saturations` reads as 0."""


def _masked(numbers: NDArray[np.generic], bits: int) -> Raw:
    return numbers.astype(np.int64) & ((1 << bits) - 1)


class Memories:
    """Words, and how many times what is derived from them has changed.

    weights, gradients  [rows, 2 w_depth]: column j of pair p stands at 2 p + j % 2
    moments             in the same places, words; none where the machine keeps none
    sums                [streams, io_depth], of outputs; none where the machine keeps none
    rates               [2 r_depth, streams]
    u, v, e, slope, q   [state_depth, streams]; slope is r'
    output, target      [io_depth, streams]; the host cannot see the target
    partial_q           [state_depth, streams], sums that more operations will add to; not seen
    largest, total      [streams, 1], of the outputs of a MEMBRANE, of exponentials; not seen
    program             [8 program_depth]
    mantissa, shift     [coefficient_depth, mode, which], of coefficients
    phi                 [2 tables, 2^phi_log2], words
    d                   [state_depth, streams], of the last MEMBRANE; not seen
    times               [4, coefficient_depth], integers: tau_m, tau_r, the sums that move them
    registers           by number, unsigned; saturations in any case
    loaded              changes of program, coefficients and tables; weighed: of the weights;
                        tuned: of coefficients, by TIMES
    """

    def __init__(self, machine: Machine):
        self.machine = machine
        m = machine
        neurons = (m.state_depth, m.streams)
        self.weights: Exact = np.zeros((m.rows, 2 * m.w_depth))
        self.gradients: Exact = np.zeros((m.rows, 2 * m.w_depth))
        self.moments: Exact = np.zeros(size(m, Region.MOMENTS))
        self.sums: Raw = np.zeros(size(m, Region.SUMS), dtype=np.int64)
        self.rates: Exact = np.zeros((2 * m.r_depth, m.streams))
        self.u: Exact = np.zeros(neurons)
        self.v: Exact = np.zeros(neurons)
        self.e: Exact = np.zeros(neurons)
        self.slope: Exact = np.zeros(neurons)
        self.q: Exact = np.zeros(neurons)
        self.output: Exact = np.zeros((m.io_depth, m.streams))
        self.target: Exact = np.zeros((m.io_depth, m.streams))
        self.partial_q: Exact = np.zeros(neurons)
        self.largest: Exact = np.zeros((m.streams, 1))
        self.total: Exact = np.zeros((m.streams, 1))
        self.program: Raw = np.zeros(size(m, Region.PROGRAM)[1], dtype=np.int64)
        factors = (m.coefficient_depth, 2, COEFFICIENTS)
        self.mantissa: Raw = np.zeros(factors, dtype=np.int64)
        self.shift: Raw = np.zeros(factors, dtype=np.int64)
        self.phi: Raw = np.zeros((2 * m.tables, 1 << m.phi_log2), dtype=np.int64)
        self.registers = [0] * size(m, Region.REGISTERS)[1]
        self.registers[Register.CORE_KIND :] = described(m)
        self.registers[Register.APPLY_EVERY] = self.registers[Register.OUTPUT_EVERY] = 1
        self.d: Exact = np.zeros(neurons)
        self.times: Raw = np.zeros((4, m.coefficient_depth), dtype=np.int64)
        self.loaded = self.weighed = self.tuned = 0

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        """Write consecutive words, in the access format; raises BadInput outside the region."""
        words = np.atleast_1d(np.asarray(data)).astype(np.int64)
        self._check(region, unit, index, len(words))
        f, places = self.machine.formats, slice(index, index + len(words))
        if region in (Region.WEIGHTS, Region.RATES):
            numbers = np.stack([signed(words, f.word), signed(words >> f.word, f.word)], axis=1)
            pairs = slice(2 * index, 2 * (index + len(words)))
            if region == Region.WEIGHTS:
                self.weights[unit, pairs] = numbers.ravel()
                self.weighed += 1
            else:
                self.rates[pairs, unit] = numbers.ravel()
        elif region == Region.GRADIENTS:
            self.gradients[unit, places] = signed(words, f.g.width)
        elif region == Region.TIMES:
            at = np.arange(index, index + len(words))
            self.times[at % 4, at // 4] = signed(words, DATA_BITS)
        elif region == Region.MOMENTS:
            self.moments[unit, places] = words & (1 << WORD * self.machine.moments) - 1
        elif region == Region.SUMS:
            self.sums[unit, places] = signed(words, OUTPUT_SUM_BITS)
        elif region in (Region.STATE, Region.PARTNER):
            state = region == Region.STATE
            bits = f.u.width if state else f.word
            of_mode = (self.u, self.v) if state else (self.e, self.slope)
            numbers, at = signed(words, bits), np.arange(index, index + len(words))
            for mode, memory in enumerate(of_mode):
                chosen = at % 2 == mode
                memory[at[chosen] // 2, unit] = numbers[chosen]
        elif region in (Region.Q, Region.OUTPUT):
            memory = self.q if region == Region.Q else self.output
            memory[places, unit] = signed(words, f.word)
        elif region == Region.REGISTERS:
            for number, word in enumerate(words.tolist(), index):
                if number in REGISTERS:
                    self.registers[number] = word & (1 << WRITABLE.get(number, 0)) - 1
        else:
            self._load(region, index, words)

    def _load(self, region: Region, index: int, words: Raw) -> None:
        f, places = self.machine.formats, slice(index, index + len(words))
        if region == Region.PROGRAM:
            there = np.arange(index, index + len(words)) % STRIDE < CHUNKS
            self.program[places] = np.where(there, words & ((1 << CHUNK) - 1), 0)
        elif region == Region.PHI:
            self.phi.reshape(-1)[places] = words & ((1 << 2 * f.word) - 1)
        else:
            at = np.arange(index, index + len(words))
            there = at % 4 < COEFFICIENTS
            at, words = at[there], words[there]
            where = at // 8, at // 4 % 2, at % 4
            self.mantissa[where] = signed(words, f.word)
            self.shift[where] = words >> f.word & ((1 << SHIFT_BITS) - 1)
        self.loaded += 1

    def read(self, region: Region, unit: int, index: int, count: int) -> Raw:
        """Read consecutive words; bits above a word's width are zero. Raises BadInput."""
        self._check(region, unit, index, count)
        f, places = self.machine.formats, slice(index, index + count)
        if region in (Region.WEIGHTS, Region.RATES):
            pairs = slice(2 * index, 2 * (index + count))
            numbers = self.weights[unit, pairs] if region == Region.WEIGHTS else None
            both = _masked(self.rates[pairs, unit] if numbers is None else numbers, f.word)
            return both[::2] | both[1::2] << f.word
        if region == Region.GRADIENTS:
            return _masked(self.gradients[unit, places], f.g.width)
        if region == Region.TIMES:
            return _masked(self.times.T.reshape(-1)[places], DATA_BITS)
        if region == Region.MOMENTS:
            return self.moments[unit, places].astype(np.int64)
        if region == Region.SUMS:
            return _masked(self.sums[unit, places], OUTPUT_SUM_BITS)
        if region == Region.STATE:
            return _masked(_interleaved(self.u, self.v, unit)[places], f.u.width)
        if region == Region.PARTNER:
            return _masked(_interleaved(self.e, self.slope, unit)[places], f.word)
        if region in (Region.Q, Region.OUTPUT):
            memory = self.q if region == Region.Q else self.output
            return _masked(memory[places, unit], f.word)
        if region == Region.REGISTERS:
            words = np.array(self.registers, dtype=np.int64)
            if not self.machine.saturations:
                words[list(SATURATIONS)] = 0
            return words[places]
        if region == Region.PROGRAM:
            return self.program[places].copy()
        if region == Region.PHI:
            return self.phi.reshape(-1)[places].copy()
        words = np.zeros((*self.shift.shape[:2], 4), dtype=np.int64)
        words[:, :, :COEFFICIENTS] = self.shift << f.word | _masked(self.mantissa, f.word)
        return words.reshape(-1)[places]

    @property
    def saturations(self) -> dict[str, int]:
        """By kind, also those that the core does not count."""
        return {kind: self.registers[Register.SATURATED + n] for n, kind in enumerate(KINDS)}

    def _check(self, region: Region, unit: int, index: int, count: int) -> None:
        units, words = size(self.machine, region)
        if not (0 <= unit < units and index >= 0 and index + count <= words):
            raise BadInput(
                f"{region.name} has {words} words in each of {units} units; "
                f"words {index}..{index + count - 1} of unit {unit} are not all there"
            )


def _interleaved(first: Exact, second: Exact, unit: int) -> Exact:
    return np.stack([first[:, unit], second[:, unit]], axis=1).reshape(-1)
