# SPDX-License-Identifier: Apache-2.0
"""Words side by side as every family has them, against lists of words."""

from random import Random

import cocotb
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from antevolt.hdl.lib.family import Blocks
from antevolt.hdl.lib.lanes import Lanes
from antevolt.hdl.lib.ram import Ram
from antevolt.sim.bench.streams import Cycles

COUNT, WIDTH, DEPTH = 3, 11, 16
AT_FIRST = ((7, 2, 1500), (), (5,))
"""Words at power-up, from the first place on."""


class Made(wiring.Component):
    """Lanes as one family has them."""

    def __init__(self, family):
        self.family, self.unit = family, Lanes(COUNT, WIDTH, DEPTH)
        for n, words in enumerate(AT_FIRST):
            self.unit.fill(n, words)
        super().__init__(dict(self.unit.signature.members))

    def elaborate(self, platform):
        m, inner = Module(), Module()
        inner.submodules.unit = self.unit
        connect(inner, flipped(self), self.unit)
        m.submodules.inner = Fragment.get(inner, Blocks(self.family))
        return m


@cocotb.test()
async def equals_the_lists(dut):
    """Any lanes are written at once, any place is read, but one that is being written."""
    cycles, draw = Cycles(dut), Random(1)
    words = [list(own) + [0] * (DEPTH - len(own)) for own in AT_FIRST]
    expected, written, counts = [], [DEPTH, DEPTH], [0] * COUNT
    for cycle in range(1000):
        place, data = draw.randrange(DEPTH), draw.getrandbits(WIDTH)
        enabled = draw.getrandbits(COUNT) if draw.random() < 0.7 and cycle > 50 else 0
        wanted = draw.choice([n for n in range(DEPTH) if n not in (place, written[-1])])
        dut.waddr.value, dut.wdata.value, dut.wen.value = place, data, enabled
        dut.raddr.value = wanted
        expected.append(sum(own[wanted] << n * WIDTH for n, own in enumerate(words)))
        written.append(place if enabled else DEPTH)
        await cycles.step()
        for n in range(COUNT):
            if enabled >> n & 1:
                words[n][place] = data
                counts[n] += 1
        if cycle >= Ram.latency:
            assert int(dut.rdata.value) == expected[cycle - Ram.latency + 1], cycle
    assert min(counts) > 100


@pytest.mark.parametrize("family", ["generic", "ice40", "gowin"])
def test_lanes(bench, family):
    bench(Made(family))
