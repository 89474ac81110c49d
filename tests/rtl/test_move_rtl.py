# SPDX-License-Identifier: Apache-2.0
"""A time constant after a step of learning, against the contract."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.move import Move
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.time_constants import BITS, HIGHEST, ONE, moved, ratio
from antevolt.hdl.spec.timing import MOVE
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from flow import gaps


@cocotb.test()
async def equals_the_contract(dut):
    f, cycles, draw = Formats(values()["word"]), Cycles(dut), np.random.default_rng(1)
    await cycles.reset()
    ends, half, waits = [], 1 << (BITS - 1), [gaps(idle, 1) for idle in STALLS]
    for number in range(160):
        tau = int(2.0 ** draw.uniform(24, 35)) if number % 9 else int(draw.choice([ONE, HIGHEST]))
        other = int(2.0 ** draw.uniform(24, 35))
        total = int(draw.integers(-half, half)) >> int(draw.integers(0, BITS))
        if number < 4:
            total = (-half, half - 1, 0, -1)[number]
        m, k = int(draw.choice([0, 4, 5, 6, 7])), int(draw.integers(0, 51))
        mantissa, exponent = ratio(ONE, other, f)
        down = int(draw.integers(0, 2))
        for name, value in {
            "tau": tau, "total": total, "mantissa": mantissa, "exponent": exponent,
            "m": m, "k": k, "down": down, "start": 1,
        }.items():  # fmt: skip
            handle = getattr(dut, name)
            handle.value = value & (1 << len(handle)) - 1
        await cycles.step()
        dut.start.value = 0
        await cycles.run(MOVE + f.word - 1)
        expected = moved(tau, total, other, (m, k), -1 if down else 1, f)
        for _ in range(1 + next(waits[number % len(STALLS)])):  # until the next start, it stays
            assert int(dut.moved.value) == expected, (tau, total, other, m, k, down)
            await cycles.step()
        ends.append(expected in (ONE, HIGHEST))
    assert 5 < sum(ends) < len(ends) - 20


@pytest.mark.parametrize("word", [16, 18])
def test_move(bench, word):
    bench(Move(Formats(word)), word=word)
