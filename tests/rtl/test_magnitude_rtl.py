# SPDX-License-Identifier: Apache-2.0
"""A gradient as a float, and its square, against the twin."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.magnitude import Magnitude
from antevolt.hdl.spec.timing import NORMAL
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.golden.moments import magnitude
from flow import flow


@cocotb.test()
async def equals_the_model(dut):
    width = values()["width"]
    cycles, draw, half = Cycles(dut), np.random.default_rng(1), 1 << (values()["width"] - 1)
    await cycles.reset()
    words = draw.integers(-half, half, 600) >> draw.integers(0, width, 600)
    words[:6] = (0, 1, -1, half - 1, -half, 1 - half)
    g, square = magnitude(words)
    outputs = {"negative": g.negative, "exponent": g.exponent, "mantissa": g.mantissa}
    outputs["square"] = square.mantissa
    for idle in STALLS:
        await flow(
            cycles,
            {"gradient": (0, words)},
            {port: (NORMAL, numbers) for port, numbers in outputs.items()},
            idle,
        )


@pytest.mark.parametrize("width", [32, 36])
def test_magnitude(bench, width):
    bench(Magnitude(width), width=width)
