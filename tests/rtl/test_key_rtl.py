# SPDX-License-Identifier: Apache-2.0
"""The key mixer against its twin: any seed, step and projection, cut short by starts and resets."""

from random import Random

import cocotb

from antevolt.hdl.core.key import KeyMixer
from antevolt.hdl.spec.dither import key
from antevolt.sim.bench.streams import STALLS, Cycles
from flow import gaps

INPUTS = {"seed": 32, "step": 32, "projection": 12}


async def begin(cycles, draw):
    """Start with random inputs; the projection alone is held. Returns the key to come."""
    words = {
        name: draw.choice([0, (1 << n) - 1, draw.getrandbits(n)]) for name, n in INPUTS.items()
    }
    for name, word in words.items():
        getattr(cycles.dut, name).value = word
    cycles.dut.start.value = 1
    await cycles.step()
    cycles.dut.start.value = 0
    cycles.dut.seed.value, cycles.dut.step.value = draw.getrandbits(32), draw.getrandbits(32)
    return key(**words)


@cocotb.test()
async def equals_the_model(dut):
    cycles, draw, waits = Cycles(dut), Random(1), [gaps(idle, 1) for idle in STALLS]
    await cycles.reset()
    for number in range(150):
        if number % 3 == 1:  # the next start cuts this one short
            await begin(cycles, draw)
            await cycles.run(draw.randrange(KeyMixer.latency))
        if number % 3 == 2:
            await begin(cycles, draw)
            await cycles.run(draw.randrange(KeyMixer.latency))
            await cycles.reset(1)
        expected = await begin(cycles, draw)
        await cycles.run(KeyMixer.latency - 1)
        for _ in range(1 + next(waits[number % len(STALLS)])):
            assert int(dut.key.value) == expected
            await cycles.step()
        assert int(dut.key.value) == expected


def test_key(bench):
    bench(KeyMixer())
