# SPDX-License-Identifier: Apache-2.0
"""What a softmax needs against its twin: a running largest value, sums, and their reciprocal."""

from random import Random

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.softmax import Softmax
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.memory_map import SUM_BITS
from antevolt.hdl.spec.timing import DIVIDE
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.golden.filter import share
from flow import gaps

STROBES = ("first", "compare", "add", "last")
ENDS = 2  # cycles of a first and of a last value


async def put(cycles, value, **strobes):
    """One cycle with this value; all that is not named is 0."""
    cycles.dut.value.value = value
    for name in STROBES:
        getattr(cycles.dut, name).value = int(strobes.get(name, 0))
    await cycles.step()
    for name in STROBES:
        getattr(cycles.dut, name).value = 0


async def add_up(cycles, words, draw, waits):
    """Add words, with pauses in which other values pass by; returns their sum as it is kept."""
    for n, word in enumerate(words):
        for _ in range(next(waits)):
            await put(cycles, draw.randrange(100), first=draw.randrange(2), last=draw.randrange(2))
        await put(cycles, word, add=1, first=n == 0, last=n == len(words) - 1)
    half = 1 << (SUM_BITS - 1)
    return (sum(words) + half) % (2 * half) - half


async def check(cycles, total, f):
    """The quotient is there in time, and stays."""
    await cycles.run(DIVIDE + f.word - 1)
    expected = int(share(np.array([[float(total)]]), f).item())
    for _ in range(3):
        assert int(cycles.dut.share.value) == expected, total
        await cycles.step()


@cocotb.test()
async def the_largest_value(dut):
    f, draw, cycles = Formats(word=values()["word"]), Random(1), Cycles(dut)
    await cycles.reset()
    largest, known, half = None, None, 1 << (f.word - 1)
    for number in range(2000):
        value = draw.choice([-half, half - 1, 0, -1, draw.randrange(-half, half)])
        value = value if number % 3 else draw.randrange(-half, half) >> draw.randrange(f.word)
        first, compare = draw.random() < 0.1 or largest is None, draw.random() < 0.7
        if first and not compare and largest is None:
            continue
        await put(cycles, value, first=first, compare=compare, last=draw.randrange(2))
        if number and known is not None:
            assert dut.largest.value.to_signed() == known  # it is a cycle late
        if compare:
            largest = value if first else max(largest, value)
        known = largest


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def shares(dut, idle):
    f, draw, cycles = Formats(word=values()["word"]), Random(2), Cycles(dut)
    waits = gaps(idle)
    await cycles.reset()
    word, one = 1 << (f.word - 1), 1 << f.r.frac
    sums = [[0], [1], [2], [-1], [one], [one + 1], [word - 1] * 3, [-word], [word - 1, -word, 5]]
    for _ in range(60):
        sums.append(
            [draw.randrange(word) >> draw.randrange(f.word) for _ in range(1 + draw.randrange(9))]
        )
        sums.append([draw.randrange(-word, word) for _ in range(1 + draw.randrange(4))])
    for words in sums:
        await check(cycles, await add_up(cycles, words, draw, waits), f)


@cocotb.test()
async def a_sum_of_half_the_range(dut):
    """2^31, which is more than any network sums, is taken without a sign."""
    f, cycles = Formats(word=values()["word"]), Cycles(dut)
    await cycles.reset()
    word = -(1 << (f.word - 1))
    count = (1 << (SUM_BITS - 1)) // -word
    dut.value.value, dut.add.value, dut.first.value = word, 1, 1
    await cycles.step()
    dut.first.value = 0
    await cycles.run(count - ENDS)
    dut.last.value = 1
    await cycles.step()
    dut.add.value = dut.last.value = 0
    await check(cycles, word * count, f)


@cocotb.test()
async def starts_and_resets_in_between(dut):
    """A division is cut short by the next one, or by a reset; the next is right."""
    f, draw, cycles = Formats(word=values()["word"]), Random(3), Cycles(dut)
    waits = gaps("one_in_four")
    await cycles.reset()
    for number in range(60):
        await add_up(cycles, [draw.randrange(1 << min(16, f.word))], draw, waits)
        await cycles.run(draw.randrange(f.word))
        if number % 2:
            await cycles.reset(1)
            assert not int(dut.largest.value)
        words = [draw.randrange(1 << min(15, f.word - 1)), 3]
        await check(cycles, await add_up(cycles, words, draw, waits), f)


@pytest.mark.parametrize("word", [8, 12, 16, 18])
def test_softmax(bench, word):
    bench(Softmax(Formats(word=word)), word=word)
