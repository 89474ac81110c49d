# SPDX-License-Identifier: Apache-2.0
"""The counters against a list of counts."""

from random import Random

import cocotb

from antevolt.hdl.io.tally import Tally
from antevolt.hdl.spec.link import LINK_WORDS
from antevolt.sim.bench.streams import Cycles

STANDS = 2  # cycles from an address to its count, as the contract says


async def counts(dut, cycles):
    found = []
    for number in range(LINK_WORDS):
        dut.address.value = number
        await cycles.run(STANDS)
        found.append(int(dut.data.value))
    return found


@cocotb.test()
async def counts_events(dut):
    cycles, draw, expected = Cycles(dut), Random(1), [0] * LINK_WORDS
    await cycles.reset()
    await cycles.run(LINK_WORDS)
    for _ in range(400):
        event = draw.randrange(LINK_WORDS)
        expected[event] += 1
        dut.event.value, dut.count.value = event, 1
        await cycles.step()
        dut.count.value = 0
        dut.event.value = draw.randrange(LINK_WORDS)
        await cycles.run(draw.choice([3, 4, 9]))
    assert await counts(dut, cycles) == expected
    await cycles.reset(1)
    await cycles.run(LINK_WORDS)
    assert await counts(dut, cycles) == [0] * LINK_WORDS


def test_tally(bench):
    bench(Tally())
