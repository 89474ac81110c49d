# SPDX-License-Identifier: Apache-2.0
"""Random words for the memories of a core: numbers of every size, so that every bit matters
somewhere. What a network computes by itself is of a few sizes only.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, size
from antevolt.hdl.spec.moments import EXPONENTS, FRACTION, MAGNITUDE, WORD, ZERO
from antevolt.hdl.spec.time_constants import HIGHEST, ONE
from antevolt.host.backend import Backend
from antevolt.host.quantize import shifts
from antevolt.sim.golden.memories import SHIFT_BITS

__all__ = ["coefficients", "fill", "moments", "numbers", "pairs", "times"]

Words = NDArray[np.int64]

CANCELLED = 0.2  # share of the first moments that a step nearly cancels
SPARSE = 0.3  # share of the numbers that have few bits set


def numbers(rng: np.random.Generator, bits: int, count: int) -> Words:
    """Signed words of `bits` bits, of every size alike; some with one bit set, or next to that: a
    circuit that looks for the first one may miss it only there."""
    half = 1 << (bits - 1)
    anything = rng.integers(-half, half, count) >> rng.integers(0, bits, count)
    single = np.int64(1) << rng.integers(0, bits - 1, count)
    single = (single + rng.integers(-1, 2, count)) * rng.choice([-1, 1], count)
    return np.where(rng.random(count) < SPARSE, single, anything)


def pairs(rng: np.random.Generator, bits: int, count: int) -> Words:
    """Two of them in a word, unsigned."""
    low, high = (numbers(rng, bits, count) & (1 << bits) - 1 for _ in range(2))
    return low | high << bits


def coefficients(rng: np.random.Generator, machine: Machine, count: int) -> Words:
    """Any mantissa; half of the shifts from all there are, half where products are of use."""
    word, (general, *_) = machine.formats.word, shifts(machine.formats)
    mantissa = rng.integers(0, 1 << word, count)
    near = general + rng.integers(-2, 12, count)
    shift = np.where(rng.random(count) < 0.5, near, rng.integers(0, 1 << SHIFT_BITS, count))
    return shift << word | mantissa


def times(rng: np.random.Generator, neurons: int, data_bits: int) -> Words:
    """tau_m, tau_r and their sums, four words per neuron: time constants from all of their range,
    ratios of all sizes, some at the ends; sums small enough for one more step."""
    words = np.empty((neurons, 4), dtype=np.int64)
    top = np.log2(HIGHEST / ONE)
    for which in range(2):
        taus = np.floor(ONE * 2.0 ** rng.uniform(0, top, neurons)).astype(np.int64)
        end = np.where(rng.random(neurons) < 0.5, ONE, HIGHEST)
        whole = np.int64(ONE) << rng.integers(0, int(top) + 1, neurons)
        taus = np.where(rng.random(neurons) < SPARSE, whole + rng.integers(-1, 2, neurons), taus)
        words[:, which] = np.where(rng.random(neurons) < 0.1, end, np.clip(taus, ONE, HIGHEST))
    same = rng.random(neurons) < 0.1
    words[same, 1] = words[same, 0]
    for which in range(2, 4):
        words[:, which] = numbers(rng, data_bits - 1, neurons)
    return words.reshape(-1)


def moments(
    rng: np.random.Generator, machine: Machine, gradients: Words, rates: tuple[int, int]
) -> Words:
    """Moment words as an APPLY could leave them: of any size, some zero; half of them within what
    a step towards these gradients by 2^-k can reach, and some first ones that it nearly cancels.

    rates  k of m and of v
    """
    count, total = gradients.size, np.zeros(gradients.size, dtype=np.int64)
    length = np.frexp(np.abs(gradients).astype(np.float64))[1].astype(np.int64)
    own = (1 << EXPONENTS[0]) - 1 - MAGNITUDE + length  # exponent of |G|
    for which in range(machine.moments):
        bits, target = EXPONENTS[which], own * (1 + which) - rates[which]
        near = np.clip(target + rng.integers(-34, 35, count), 0, (1 << bits) - 1)
        anything = rng.integers(0, 1 << bits, count)
        exponent = np.where(rng.random(count) < 0.5, near, anything)
        fraction = rng.integers(0, 1 << FRACTION, count)
        sign = rng.integers(0, 2, count) << (WORD - 1) if which == 0 else 0
        word = np.where(exponent == 0, 0, exponent << FRACTION | fraction | sign)
        total |= word << WORD * which
    opposite = rng.random(count) < CANCELLED
    low = (1 << WORD) - 1
    return np.where(opposite, total & ~low | _cancelled(rng, gradients, rates[0]), total)


def _cancelled(rng: np.random.Generator, gradients: Words, k: int) -> Words:
    """First moments of which a step leaves next to nothing: m (1 - 2^-k) is about -G 2^-k."""
    size = np.abs(gradients) / max(1, (1 << k) - 1)
    number, exponent = np.frexp(size)
    mantissa = np.floor(number * 2 * (1 << FRACTION)).astype(np.int64)
    mantissa += rng.integers(0, 2, size.size)
    word = np.minimum((exponent + ZERO - 2 << FRACTION) + mantissa, (1 << WORD - 1) - 1)
    word |= (gradients > 0).astype(np.int64) << WORD - 1
    return np.where((size > 0) & (exponent + ZERO > 1), word, 0)


def fill(backend: Backend, rng: np.random.Generator, fixed: Iterable[int] = ()) -> None:
    """Draw what the steps work on: weights, rates, states, errors, outputs, coefficients, tables,
    gradients. Program, registers, moments and time constants stay.

    fixed  neurons' coefficients that stay: copies of rates pass the same filters one right after
           the other, which is right only as long as these keep no state
    """
    machine, f = backend.machine, backend.machine.formats
    plain = {
        Region.GRADIENTS: f.g.width - 1,  # room for what a few steps add
        Region.STATE: f.u.width,
        Region.PARTNER: f.word,
        Region.Q: f.word,
        Region.OUTPUT: f.word,
    }
    for region in (*plain, Region.WEIGHTS, Region.RATES, Region.PHI, Region.COEFFICIENTS):
        units, count = size(machine, region)
        for unit in range(units):
            if region in plain:
                words = numbers(rng, plain[region], count)
            elif region == Region.COEFFICIENTS:
                words = coefficients(rng, machine, count).reshape(-1, 8)
                for n in fixed:
                    words[n] = backend.read(region, unit, 8 * n, 8)
                words = words.reshape(-1)
            else:
                words = pairs(rng, f.word, count)
            backend.write(region, unit, 0, words)
