# SPDX-License-Identifier: Apache-2.0
"""The sequencer against a plain timetable: random programs, `go`, `done` and `due` at any time.

The pauses in a program are its operations' delays; the inputs pause by the patterns.
"""

from dataclasses import replace
from random import Random

import cocotb
import pytest

from access_bus import WRITTEN
from antevolt.hdl.core.bundles import Access
from antevolt.hdl.core.sequencer import ASIDE, LISTENERS, Sequencer
from antevolt.hdl.core.tap import reply_latency
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import (
    CHUNK,
    FILTERS,
    LAYOUT,
    STRIDE,
    SWEEPS,
    Kind,
    Operation,
)
from antevolt.hdl.spec.timing import MIN_DELAY, Timing
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, stalls
from antevolt.sim.bench.timeline import packed

MACHINES = {
    "far": Machine(program_depth=32),
    "far, 2 rows": Machine(rows=2, program_depth=32),
    "far, 9 rows": Machine(rows=9, program_depth=32),
    "far, 2 rows, a neuron per cycle": Machine(
        rows=2, tile_rows=2, multipliers=5, program_depth=32
    ),
    "far, 9 rows, a neuron per cycle": Machine(
        rows=9, tile_rows=3, multipliers=5, program_depth=32
    ),
    "near": Machine(program_depth=32, spacing=12, near=True),
    "near, 2 rows": Machine(rows=2, tile_rows=2, program_depth=32, spacing=12, near=True),
}
SILENT = packed(Access(), write=1, read=1)
FETCHED = 3  # from `go` to the first ISSUE
OFTEN = {"never idle": 1.0, "seldom": 0.05, "half": 0.5}
STARTS = {name: (1 << number) - 1 for name, number in LISTENERS.items()}
LONG = 60, 200  # cycles of a run: so many for each operation, and so many more


def machine():
    return Machine.from_json(values()["machine"])


def begins(op):
    """Cycles from an operation's pulse to that of its sweep, until which it is at hand."""
    return Timing(machine()).lead if op.kind == Kind.BACK else 0


def drawn(draw, count):
    """A program of any operations, with END last."""
    program = []
    for _ in range(count - 1):
        fields = {name: draw.getrandbits(bits) for name, bits in LAYOUT.items()}
        kind = draw.choice([kind for kind in Kind if kind != Kind.END])
        delay = MIN_DELAY + draw.choice([0, 0, 1, 2, 40, 300])
        op = Operation(**fields | {"kind": kind})
        program.append(replace(op, delay=max(delay, begins(op) + 2)))
    return [*program, Operation(Kind.END, delay=draw.randrange(9))]


def bits(op):
    return sum(chunk << n * CHUNK for n, chunk in enumerate(op.encode()))


async def load(cycles, program):
    words = [chunk for op in program for chunk in op.encode()]
    for index, word in enumerate(words):
        fields = {"write": 1, "region": Region.PROGRAM, "index": index, "data": word}
        cycles.dut.access.value = packed(Access(), **fields)
        await cycles.step()
    for index, word in enumerate(words):
        if index % STRIDE < 5:
            fields = {"read": 1, "region": Region.PROGRAM, "index": index}
            cycles.dut.access.value = packed(Access(), **fields)
            await cycles.step()
            cycles.dut.access.value = 0
            await cycles.run(reply_latency(machine().near) - 1)
            assert int(cycles.dut.reply.value) == word
    cycles.dut.access.value = 0
    await cycles.run(WRITTEN)


class Inputs:
    """`go`, `done`, `due` and `taking`, random or by one of `STALLS`, and what is seen in each
    cycle; on the bus is anything but an access."""

    def __init__(self, cycles, draw, often, idle=None):
        self.dut, self.draw, self.often, self.idle = cycles.dut, draw, often, idle
        self.stalls = [stalls(idle or "none", seed=n) for n in range(4)]
        self.given, self.seen = [], []
        cycles.drivers.append(self)

    def drive(self):
        given = {name: self.draw.random() < self.often for name in ("go", "done", "due")}
        given["taking"] = self.draw.random() < (1 - self.often) / 2
        if self.idle:
            waits = [next(pattern) for pattern in self.stalls]
            given = dict(zip(("go", "done", "due"), (not wait for wait in waits), strict=False))
            # half the time, or a regular pattern would hold for ever what looks in its beat
            given["taking"] = waits[-1] and self.draw.random() < 0.5
        self.dut.access.value = self.draw.getrandbits(Access().size) & ~SILENT
        for name, value in given.items():
            getattr(self.dut, name).value = int(value)
        self.given.append(given)

    def sample(self):
        names = ("issue", "again", "sweeps", "filters", "busy", "ended", "blocked", "held", "op",
                 "kinds", *(["aside"] if Timing(machine()).aside else []))  # fmt: skip
        self.seen.append({name: int(getattr(self.dut, name).value) for name in names})


def passed(op, at, given):
    """An operation that is looked at in the cycle before `at` does not take place."""
    return op.kind in (Kind.APPLY, Kind.TIMES) and not given(at - 1, "due")


def timetable(program, given, start):
    """Of a step whose `go` is at `start`: pulses {cycle: operation and what it is issued as}, its
    last busy cycle, and the cycles in which it is blocked and held."""
    at, pulses, blocked, held = start + FETCHED, {}, set(), set()
    for op in program:
        loaded = at

        # a core that is near looks at `due` again while it is held
        while (op.joins or op.keep and passed(op, at if machine().near else loaded, given)) and (
            given(at, "taking")
        ):
            held |= set(range(at, at + machine().interval))
            at += machine().interval
        skipped = passed(op, at if machine().near else loaded, given)
        kind = Kind.END if skipped and op.keep else op.kind
        if not skipped or kind == Kind.END:
            pulses[at + 1] = op, kind
        if kind == Kind.END:
            break
        if op.blocking:
            first, at = at + 1, at + 1
            while not given(at, "done"):
                at += 1
            blocked |= set(range(first, at + 1))
        at += MIN_DELAY if skipped else op.delay
    return pulses, at, blocked, held


def check(program, inputs, skip=0):
    """All cycles of a run that began idle; `skip`: as many are not looked at."""
    pulses, busy, now, length = {}, set(), 0, len(inputs.given)
    blocked, held = set(), set()

    def given(at, name):
        return inputs.given[at][name] if at < length else name != "taking"

    while now < length:
        if given(now, "go"):
            own, end, own_blocked, own_held = timetable(program, given, now)
            pulses |= own
            blocked, held = blocked | own_blocked, held | own_held
            busy |= set(range(now + 1, end + 1))
            now = end
        now += 1
    sweeps = {at + begins(op) for at, (op, kind) in pulses.items() if kind in SWEEPS}
    kept = {at + begins(op) for at, (op, kind) in pulses.items() if kind == Kind.BACK}
    for at in range(skip, length):
        seen, (op, kind) = inputs.seen[at], pulses.get(at, (None, None))
        assert seen["issue"] == seen["again"] == (1 << kind if op else 0), at
        assert seen["sweeps"] == (STARTS["sweeps"] if at in sweeps else 0), at
        assert seen["filters"] == (STARTS["filters"] if kind in FILTERS else 0), at
        if "aside" in seen:
            begun = at in kept or at + 1 in kept
            assert seen["aside"] == ((1 << ASIDE) - 1 if begun else 0), at
        assert seen["busy"] == (at in busy), at
        assert seen["blocked"] == (at in blocked), at
        assert seen["held"] == (at in held), at
        assert seen["ended"] == (kind == Kind.END), at
        for there in inputs.seen[at - 1 : at + begins(op) + 1] if op else ():
            assert there["op"] == bits(op), at
            # a core that is near always looks at `due`, which is random here
            assert there["kinds"] == 1 << kind or op.kind in (Kind.APPLY, Kind.TIMES), at
    return sum(kind == Kind.END for at, (_, kind) in pulses.items() if at < length)


async def runs(dut, draw, often, idle=None):
    """Programs of several lengths; how many steps were whole."""
    cycles, steps = Cycles(dut), 0
    await cycles.reset()
    for count in (1, 2, 3, 9, machine().program_depth):
        program = drawn(draw, count)
        await load(cycles, program)
        inputs = Inputs(cycles, draw, often, idle)
        await cycles.run(LONG[0] * count + LONG[1])
        dut.done.value = dut.due.value = 1
        dut.taking.value = dut.access.value = 0
        cycles.drivers.remove(inputs)
        dut.go.value = 0
        await cycles.until(lambda: not int(dut.busy.value))
        steps += check(program, inputs)
    return steps


@cocotb.test()
@cocotb.parametrize(often=list(OFTEN))
async def equals_the_timetable(dut, often):
    assert await runs(dut, Random(often), OFTEN[often]) > 5


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def inputs_with_pauses(dut, idle):
    assert await runs(dut, Random(idle), 1.0, idle) > 5


@cocotb.test()
async def resets_in_mid_step(dut):
    """The program stays, and the next step is whole."""
    cycles, draw = Cycles(dut), Random(5)
    await cycles.reset()
    program = drawn(draw, 12)
    await load(cycles, program)
    for _ in range(25):
        inputs = Inputs(cycles, draw, 0.8)
        await cycles.run(draw.randrange(1, 400))
        cycles.drivers.remove(inputs)
        check(program, inputs)
        dut.go.value = dut.access.value = 0
        await cycles.reset(1)
        for _ in range(3):  # the memory's word is that of the first operation again
            assert not int(dut.busy.value)
            assert not int(dut.issue.value)
            assert not int(dut.ended.value)
            await cycles.step()


@pytest.mark.parametrize("name", MACHINES)
def test_sequencer(bench, name):
    bench(Sequencer(MACHINES[name]), machine=MACHINES[name].to_json())
