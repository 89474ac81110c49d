# SPDX-License-Identifier: Apache-2.0
"""A moment that follows its target, against the twin: both kinds, every k."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.average import RANDOM, Average
from antevolt.hdl.spec.dither import BITS
from antevolt.hdl.spec.moments import WORD
from antevolt.hdl.spec.timing import AVERAGE
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.golden.moments import average, magnitude
from flow import flow


@cocotb.test()
async def equals_the_model(dut):
    which, count = values()["which"], 150
    cycles, draw = Cycles(dut), np.random.default_rng(which)
    await cycles.reset()
    for k in range(16):
        half = 1 << 35
        g = draw.integers(-half, half, count) >> draw.integers(0, 36, count)
        target = magnitude(g)[which]
        words = draw.integers(0, 1 << WORD, count)
        near = draw.random(count) < 0.5  # old moments of about the target's size
        words[near] = average(words, target, 0, 0 * words, which)[near]
        random = draw.integers(0, 1 << BITS, count)
        expected = average(words, target, k, random, which)
        dut.k.value = k
        await flow(
            cycles,
            {
                "word": (0, words),
                "negative": (0, target.negative),
                "exponent": (0, target.exponent),
                "mantissa": (0, target.mantissa),
                "random": (RANDOM, random),
            },
            {"new": (AVERAGE, expected)},
            STALLS[k % len(STALLS)],
        )


@pytest.mark.parametrize("which", [0, 1])
def test_average(bench, which):
    bench(Average(which), which=which)
