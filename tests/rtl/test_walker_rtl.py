# SPDX-License-Identifier: Apache-2.0
"""The walkers against plain generators: any operands, cut short by starts and resets."""

from random import Random

import cocotb
import pytest

from antevolt.hdl.core.walker import NeuronWalker, Walker
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline
from flow import gaps

RUNS, AFTER = 60, 20


def walk(lead, count, groups, interval, part):
    """{cycle after the start: what is to be seen} of a Walker."""
    return {
        1 + lead + group * interval + index: {
            "first": index == 0, "last": index == count - 1, "index": index,
            "group_first": group == 0, "group_last": group == groups - 1, "inside": index < part,
        }
        for group in range(groups) for index in range(count)
    }  # fmt: skip


def neurons(n, interval, rows, spacing):
    """{cycle after the start: what is to be seen} of a NeuronWalker."""
    return {
        1 + number // rows * interval + number % rows * spacing: {
            "number": number, "last": number == n - 1,
        }
        for number in range(n)
    }  # fmt: skip


def operands(draw):
    """Of one run: what goes in, and what comes of it."""
    if "rows" in values():
        rows, spacing = values()["rows"], values()["spacing"]
        n, pause = draw.randrange(1, 12), draw.choice([0, 0, 1, spacing, 9])
        given = {"n": n, "interval": rows * spacing + pause}
        return given, neurons(rows=rows, spacing=spacing, **given)
    count = draw.randrange(1, 9)
    given = {
        "lead": draw.choice([0, 0, 1, 7, 255]), "count": count, "groups": draw.randrange(1, 5),
        "interval": count + draw.choice([0, 0, 1, 6]), "part": draw.randrange(count + 2),
    }  # fmt: skip
    return given, walk(**given)


async def runs(cycles, draw, cut, idle="none"):
    """Play some runs, back to back or with pauses, a few of them cut short; the last ends after
    `cut` cycles."""
    start = 1 if "rows" in values() else 3  # a bit for each register
    play, expected, at, waits = Timeline(cycles), {}, 1, gaps(idle)
    for number in range(RUNS if cut is None else 1):
        given, seen = operands(draw)
        play.set(at, "start", start)
        told = given if "rows" in values() else {**given, "once": given["count"] == 1}
        for port, value in told.items():
            play.set(at - 1, port, value)
            play.set(at, port, value)
        length = max(seen) + draw.choice([0, 1, AFTER])  # the next start, or even the last cycle
        if number % 4 == 3:
            length = draw.randrange(1, length + 1)
        if cut is not None:
            length = cut % length + 1
        length = max(2, length)  # the operands stand for two cycles
        length += next(waits) if cut is None and number % 4 != 3 else 0
        # a start takes effect at the end of its cycle, in which the run before is still seen
        expected |= {at + cycle: ports for cycle, ports in seen.items() if cycle <= length}
        at += length
    for cycle in range(at + 1):
        play.look(cycle, "en")
        for port in expected.get(cycle, ()):
            play.look(cycle, port)
    await play.play()
    for cycle in range(at + 1):
        assert play.seen["en", cycle] == (cycle in expected), cycle
        for port, value in expected.get(cycle, {}).items():
            assert play.seen[port, cycle] == value, (port, cycle)


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def equals_the_generator(dut, idle):
    cycles = Cycles(dut)
    await cycles.reset()
    await runs(cycles, Random(1), None, idle)


@cocotb.test()
async def resets_in_mid_walk(dut):
    cycles, draw = Cycles(dut), Random(2)
    await cycles.reset()
    for _ in range(40):
        await runs(cycles, draw, draw.randrange(1000))
        await cycles.reset(1)
        for _ in range(AFTER):
            await cycles.step()
            assert not int(dut.en.value)


def test_walker(bench):
    bench(Walker())


@pytest.mark.parametrize(("rows", "spacing"), [(1, 5), (3, 2)])
def test_neuron_walker(bench, rows, spacing):
    bench(NeuronWalker(rows, spacing), rows=rows, spacing=spacing)
