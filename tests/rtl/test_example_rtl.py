# SPDX-License-Identifier: Apache-2.0
"""The example of `docs/writing-a-bench.md`: the multiplier against Python's `*`."""

from random import Random

import cocotb

from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.sim.bench.streams import Cycles

WORD = 18


@cocotb.test()
async def products(dut):
    cycles, draw, half = Cycles(dut), Random(1), 1 << (WORD - 1)
    await cycles.reset()
    expected = []
    for _ in range(200):
        a, b = draw.randrange(-half, half), draw.randrange(-half, half)
        dut.a.value, dut.b.value = a, b
        expected.append(a * b)
        await cycles.step()
        if len(expected) >= Multiplier.latency:
            assert dut.p.value.to_signed() == expected[-Multiplier.latency]


def test_multiplier(bench):
    bench(Multiplier(WORD))
