# SPDX-License-Identifier: Apache-2.0
"""The key mixer against its twin: any seed, step and projection, cut short by starts and resets."""

from random import Random

import cocotb
import pytest
from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from antevolt.hdl.core.key import PORTS, KeyMixer, LaneKey
from antevolt.hdl.core.mixer import mixed
from antevolt.hdl.spec.dither import key
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from flow import gaps


class OfLane(wiring.Component):
    """`LaneKey` with a mixer, whose other input holds anything."""

    latency = LaneKey.latency

    def __init__(self):
        super().__init__({**PORTS, "other": In(32)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.unit = unit = LaneKey()
        m.d.comb += [
            *(unit.start.eq(self.start), unit.seed.eq(self.seed), unit.step.eq(self.step)),
            *(unit.projection.eq(self.projection), self.key.eq(unit.key)),
            unit.mixed.eq(mixed(m, Mux(unit.takes, unit.word, self.other) ^ unit.key, "mixer")),
        ]
        return m


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
    if values()["lane"]:  # the seed comes a cycle later, and then the step
        cycles.dut.step.value = draw.getrandbits(32)
        await cycles.step()
        cycles.dut.seed.value, cycles.dut.step.value = draw.getrandbits(32), words["step"]
        await cycles.step()
    cycles.dut.seed.value, cycles.dut.step.value = draw.getrandbits(32), draw.getrandbits(32)
    return key(**words)


@cocotb.test()
async def equals_the_model(dut):
    latency, lane = values()["latency"], values()["lane"]
    cycles, draw, waits = Cycles(dut), Random(1), [gaps(idle, 1) for idle in STALLS]
    await cycles.reset()
    for number in range(150):
        if number % 3 == 1:  # the next start cuts this one short
            await begin(cycles, draw)
            await cycles.run(draw.randrange(latency))
        if number % 3 == 2:
            await begin(cycles, draw)
            await cycles.run(draw.randrange(latency))
            await cycles.reset(1)
        expected = await begin(cycles, draw)
        await cycles.run(latency - 1 - 2 * lane)
        for _ in range(1 + next(waits[number % len(STALLS)])):
            if lane:
                dut.other.value = draw.getrandbits(32)
            assert int(dut.key.value) == expected
            await cycles.step()
        assert int(dut.key.value) == expected


@pytest.mark.parametrize("made", [KeyMixer, OfLane])
def test_key(bench, made):
    bench(made(), latency=made.latency, lane=int(made is OfLane))
