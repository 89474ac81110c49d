# SPDX-License-Identifier: Apache-2.0
"""From gradient and moments to direction and new moments, against the twin."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.bundles import ApplyRule
from antevolt.hdl.core.direction import Direction
from antevolt.hdl.spec.dither import dither
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import KEYS, NEEDS, WORD, Rule
from antevolt.hdl.spec.timing import AVERAGE, DIRECTION, MOMENT_NUMBERS, NORMAL
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import packed
from antevolt.sim.golden.direction import Decay, direction
from flow import flow


@cocotb.test()
async def equals_the_model(dut):
    machine = Machine.from_json(values()["machine"])
    width, count = machine.formats.g.width, 80
    cycles, draw, half = Cycles(dut), np.random.default_rng(machine.moments), 1 << (width - 1)
    await cycles.reset()
    for rule in (rule for rule in Rule if 0 < NEEDS[rule] <= machine.moments):
        for idle in STALLS:
            key, eta_k = int(draw.integers(0, 1 << 32)), int(draw.integers(0, 64))
            first, second = (int(k) for k in draw.integers(0, 12, 2))
            given = {"rule": rule, "first": first, "second": second, "k": eta_k, "key": key}
            dut.rule.value = packed(ApplyRule(), **given)
            g = draw.integers(-half, half, count) >> draw.integers(0, width, count)
            old = draw.integers(0, 1 << WORD * machine.moments, count)
            i, j = draw.integers(0, 1 << 15, count), draw.integers(0, 1 << 13, count)
            random = tuple(dither(key ^ own, i, j) for own in KEYS)
            decay = Decay(rule, first, second)
            wanted, new = direction(g, old, decay, eta_k, random, width)
            await flow(
                cycles,
                {
                    "gradient": (0, g),
                    "moments": (NORMAL, old),
                    "i": (MOMENT_NUMBERS, i),
                    "j": (MOMENT_NUMBERS, j),
                },
                {
                    "new": (NORMAL + AVERAGE, new),
                    "number": (DIRECTION, wanted.number),
                    "shift": (DIRECTION + 2, wanted.shift),
                },
                idle,
            )


@pytest.mark.parametrize(("moments", "word"), [(1, 18), (2, 18), (2, 16), (2, 12)])
def test_direction(bench, moments, word):
    machine = Machine(moments=moments, formats=Formats(word))
    bench(Direction(machine), machine=machine.to_json())
