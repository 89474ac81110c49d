# SPDX-License-Identifier: Apache-2.0
"""The random bits of a weight against the contract."""

import cocotb
import numpy as np
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.mixer import LATENCY, random_bits
from antevolt.hdl.spec.dither import BITS, dither
from antevolt.sim.bench.streams import STALLS, Cycles
from flow import flow


class Mixer(wiring.Component):
    """`random_bits` with ports."""

    def __init__(self):
        super().__init__({"key": In(32), "i": In(15), "j": In(13), "word": Out(BITS)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.word.eq(random_bits(m, self.key, self.i, self.j, "bits"))
        return m


@cocotb.test()
async def equals_the_contract(dut):
    cycles, draw = Cycles(dut), np.random.default_rng(0)
    await cycles.reset()
    for n, key in enumerate(draw.integers(0, 1 << 32, 2 * len(STALLS))):
        dut.key.value = int(key)
        i, j = draw.integers(0, 1 << 15, 100), draw.integers(0, 1 << 13, 100)
        i[:3], j[:3] = (0, (1 << 15) - 1, 1), (0, (1 << 13) - 1, 0)
        expected = dither(int(key), i, j)
        numbers, idle = {"i": (0, i), "j": (0, j)}, STALLS[n % len(STALLS)]
        await flow(cycles, numbers, {"word": (LATENCY, expected)}, idle)


def test_mixer(bench):
    bench(Mixer())
