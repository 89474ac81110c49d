# SPDX-License-Identifier: Apache-2.0
"""Ratios of two numbers as coefficients, against the contract."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.ratio import Ratio
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.time_constants import HIGHEST, ONE, ratio
from antevolt.hdl.spec.timing import RATIO
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from flow import gaps


@cocotb.test()
async def equals_the_contract(dut):
    f, cycles, draw = Formats(values()["word"]), Cycles(dut), np.random.default_rng(0)
    await cycles.reset()
    pairs = [(ONE, ONE), (ONE, HIGHEST), (HIGHEST, ONE), (HIGHEST, HIGHEST), (ONE + 1, ONE)]
    pairs += [(ONE, ONE + 1), (2 * ONE, ONE), (ONE, 3 * ONE), (1, 3), ((1 << 36) - 1, 1)]
    pairs += (2.0 ** draw.uniform(24, 35, (60, 2))).astype(np.int64).tolist()
    waits = [gaps(idle, 1) for idle in STALLS]
    for number, (over, under) in enumerate(pairs):
        dut.over.value, dut.under.value, dut.start.value = over, under, 1
        await cycles.step()
        dut.start.value = 0
        dut.over.value = dut.under.value = int(draw.integers(1, 1 << 35))
        await cycles.run(RATIO + f.word - 1)
        for _ in range(1 + next(waits[number % len(STALLS)])):  # until the next start, it stays
            got = int(dut.mantissa.value), dut.exponent.value.to_signed()
            assert got == ratio(over, under, f), (over, under)
            await cycles.step()


@pytest.mark.parametrize("word", [16, 18])
def test_ratio(bench, word):
    bench(Ratio(Formats(word)), word=word)
