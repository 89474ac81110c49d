# SPDX-License-Identifier: Apache-2.0
"""Learned time constants: sums of terms as they come, then TIMES, against the twin.

Inside a TIMES the timetable is fixed; what pauses is the time between terms, and from one TIMES to
the next. In all that time the operands and the bus hold anything.
"""

from random import Random

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.bundles import Access
from antevolt.hdl.core.sequencer import operation
from antevolt.hdl.core.tap import REPLY_LATENCY
from antevolt.hdl.core.time_constants import Times
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.hdl.spec.time_constants import BITS
from antevolt.hdl.spec.timing import Timing
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from antevolt.sim.golden.memories import Memories
from antevolt.sim.golden.time_constants import Times as Golden
from flow import SOON, gaps

WIDTH = 28  # of the terms
WRITES = ("en", "address", "data")
SUMMED = 6  # cycles in which the last terms get into the memory


def machine_of(word):
    return Machine(
        streams=2, state_depth=16, w_depth=16, r_depth=16, q_depth=16, io_depth=16,
        time_constants=True, formats=Formats(word),
    )  # fmt: skip


async def write(cycles, memories):
    """All four memories over the access bus."""
    words = memories.read(Region.TIMES, 0, 0, 4 * 16)
    for index, data in enumerate(words.tolist()):
        given = {"region": Region.TIMES, "index": index, "data": data, "write": 1}
        cycles.dut.access.value = packed(Access(), **given)
        await cycles.step()
    cycles.dut.access.value = 0
    await cycles.run(REPLY_LATENCY)


async def read(cycles):
    """[4, 16] of the memories."""
    play = Timeline(cycles)
    for index in range(64):
        given = {"region": Region.TIMES, "index": index, "read": 1}
        play.set(index, "access", packed(Access(), **given))
        play.look(index + REPLY_LATENCY, "reply")
    await play.play()
    words = [play.seen["reply", index + REPLY_LATENCY] for index in range(64)]
    numbers = np.array(words).reshape(16, 4).T
    return (numbers ^ 1 << BITS - 1) - (1 << BITS - 1)


def start(word, seed):
    machine, draw = machine_of(word), np.random.default_rng(seed)
    memories = Memories(machine)
    memories.times[:2] = 2.0 ** draw.uniform(24, 35, (2, 16))
    memories.times[2:] = draw.integers(-(1 << 30), 1 << 30, (2, 16))
    return machine, draw, memories


def fill(play):
    """What passes by."""
    play.fill(("op", "index", "live", "fresh", "terms"), Random(1))
    play.fill(["access"], Random(2), quiet=packed(Access(), write=1, read=1))


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def terms_are_summed(dut, idle):
    machine, draw, memories = start(values()["word"], 0)
    cycles, at = Cycles(dut), Timing(machine).times_sum
    await cycles.reset()
    await write(cycles, memories)
    for fresh in (1, 0):
        play, now, waits = Timeline(cycles), 0, gaps(idle, fresh, SOON)
        for index in draw.permutation(16).tolist():
            live = int(draw.random() < 0.8)
            terms = draw.integers(-(1 << WIDTH - 1), 1 << WIDTH - 1, 2)
            for port, value in (("command", 1), ("index", index), ("live", live), ("fresh", fresh)):
                play.set(now, port, value)
            for which, term in enumerate(terms.tolist()):
                play.set(now + at + which, "terms", term)
                if live:
                    old = 0 if fresh else memories.times[2 + which, index]
                    memories.times[2 + which, index] = old + term
            now += machine.interval + next(waits)
        fill(play)
        await play.play()
        await cycles.run(SUMMED)
        assert np.array_equal(await read(cycles), memories.times)


def rates(draw):
    """m and k of one of the two steps."""
    return int(draw.choice([0, 4, 6, 7])) | int(draw.integers(20, 45)) << 3


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def times_equals_the_model(dut, idle):
    machine, draw, memories = start(values()["word"], 1 + STALLS.index(idle))
    cycles, per = Cycles(dut), Timing(machine).times_neuron
    await cycles.reset()
    await write(cycles, memories)
    play, now, expected, waits = Timeline(cycles), 0, [], gaps(idle, skip=SOON)
    names = ("kind", "n", "weights", "interval", "words", "output")
    # whole populations, or as many short operations as it takes for all waits of a pattern
    for number, count in enumerate((7, 7, 7) if idle == "none" else (1, 1, 1, 2) * 3):
        first, output = int(draw.integers(16 - count)), 1 - number % 2
        op = Operation(
            Kind.TIMES, n=count, weights=first, interval=rates(draw), words=rates(draw),
            output=output,
        )  # fmt: skip
        play.set(now, "op", packed(operation, **{name: int(getattr(op, name)) for name in names}))
        play.set(now, "start", 1)
        now += count * per + 1 + next(waits)
        Golden(memories, op)()
        for neuron in range(first, first + count):
            for mode in range(1 + output):
                for which in (1, 2):
                    mantissa = int(memories.mantissa[neuron, mode, which])
                    shift = int(memories.shift[neuron, mode, which])
                    word = shift << machine.formats.word | mantissa
                    expected.append((which, neuron << 1 | mode, word))
    for cycle in range(now):
        for port in WRITES:
            play.look(cycle, port)
    fill(play)
    await play.play()
    writes = [tuple(play.seen[port, cycle] for port in WRITES) for cycle in range(now)]
    assert [write for write in writes if write[0]] == expected
    assert np.array_equal(await read(cycles), memories.times)


@pytest.mark.parametrize("word", [16, 18])
def test_time_constants(bench, word):
    bench(Times(machine_of(word), WIDTH), word=word)
