# SPDX-License-Identifier: Apache-2.0
"""The sweeps against plain loops: slots, pushes and lanes of random operations.

Cycles count from the issue's pulse, which is one cycle behind the ISSUE that `spec.timing` means.
Inside an operation the timetable is fixed; what pauses is the time from the end of one to the issue
of the next, and there the operation's fields hold anything. A BACK is issued, and its first errors
are pushed, while the sweep before goes on.
"""

from dataclasses import replace
from random import Random

import cocotb
import pytest

from antevolt.hdl.core.bundles import ApplySlot, Push, Slot
from antevolt.hdl.core.sequencer import ASIDE, LISTENERS
from antevolt.hdl.core.sweeps import Sweeps
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import CARRYING, Rule
from antevolt.hdl.spec.program import CHUNK, Bias, Kind, Operation
from antevolt.hdl.spec.timing import KEY, WALKER, Timing
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, unpacked
from flow import gaps

KINDS = (Kind.FORWARD, Kind.BACK, Kind.APPLY)
MACHINES = {
    "1x1": Machine(state_depth=64),
    "3x2": Machine(rows=3, streams=2, contexts=2, tile_rows=2, state_depth=64),
    "9x1": Machine(rows=9, contexts=2, state_depth=64),
    "6x1, a neuron per cycle": Machine(rows=6, tile_rows=3, multipliers=5, state_depth=64),
    "2x1, a neuron per cycle": Machine(rows=2, tile_rows=2, multipliers=5, state_depth=64),
    "1x1, near": Machine(state_depth=64, spacing=12, near=True),
    "2x1, near": Machine(rows=2, tile_rows=2, state_depth=64, spacing=12, near=True),
    "2x1, carries sums on": Machine(rows=2, carry=True, state_depth=64),
    "2x1, paired": Machine(rows=2, paired=True, state_depth=64),
    "6x1, six rows share a lane, carries sums on": Machine(
        rows=6, tile_rows=6, apply_rows=6, carry=True, state_depth=64
    ),
}
PULSES = {Kind.BACK: "back", Kind.APPLY: "apply"}
STARTS = (1 << LISTENERS["sweeps"]) - 1
OPERATIONS = 60, 120  # with pauses and without
DEPTHS = {"weights": 512, "rates": 512, "neurons": 64, "extra": 64}


def drawn(draw, machine, rules=(0,)):
    """An operation of any operands that its fields hold."""
    rows = machine.rows
    kind, words, groups = draw.choice(KINDS), draw.randrange(1, 9), draw.randrange(1, 4)
    flags = ("prior", "q", "g", "head", "tail", "prior_e", "keep")
    op = Operation(
        kind, **{name: draw.randrange(2) for name in flags},
        **{name: draw.randrange(depth) for name, depth in DEPTHS.items()},
        context=draw.choice([0, 0, 1]), bias=draw.choice(list(Bias)), words=words, groups=groups,
        n=draw.randrange(words + 1),
        skip=draw.randrange(machine.apply_rows if kind == Kind.APPLY else 2 * rows),
        rows=draw.randrange(1, 3 * rows + 1), table=draw.choice(rules),
    )  # fmt: skip
    least = max(Timing(machine).slots(op), Timing(machine).lead + 1)
    return replace(op, interval=least + draw.choice([0, 1, 5]))


def forward(op, at):
    """(cycle, output, fields) of a FORWARD whose sweep begins at `at`; `back` is of the slots
    alone, and of what may come between them and those of a next that adds to the same sums."""
    for g in range(op.groups):
        for p in range(op.words):
            last = p == op.words - 1
            yield at + g * op.interval + p, "slot", {
                "en": 1, "back": 0, "half": 0, "context": op.context,
                "first": p == 0 and op.head, "last": last and op.tail,
                "weights": (op.weights + g * op.words + p) % 512, "rates": (op.rates + p) % 512,
                "mask_low": op.prior and not (last and op.bias == Bias.LOW),
                "mask_high": op.prior and not (last and op.bias == Bias.HIGH),
                "q_live": 0, "g_live": 0,
            }  # fmt: skip
        for p in range(op.words, op.interval if g < op.groups - 1 else op.words):
            yield at + g * op.interval + p, "slot", {"en": 0, "back": 0}


def back(op, at, machine, fresh):
    rows, pairs, slots = machine.rows, -(-op.words // 2), Timing(machine).slots(op)
    both = machine.paired and not op.q
    for g in range(op.groups):
        for i in range(rows):
            number = g * rows + i
            yield at + g * op.interval + Timing(machine).push * i, "push", {
                "en": 1, "neuron": (op.neurons + number) % 64, "context": op.context,
                "live": op.skip <= number < op.skip + op.rows, "prior": op.prior_e,
            }  # fmt: skip
        for n in range(slots):
            p, half = (n, n == slots - 1 and op.words % 2) if both else divmod(n, 2)
            pair, last = (op.weights + g * pairs + p) % 512, n == slots - 1
            yield at + Timing(machine).lead + g * op.interval + n, "slot", {
                "en": 1, "back": 1, "half": half, "context": op.context, "first": n == 0,
                "last": last, "weights": pair, "rates": (op.rates + p) % 512,
                "q_live": op.q and n < op.n, "q_clear": g == 0 and op.head,
                "q_done": g == op.groups - 1 and op.tail, "g_live": op.g,
                "g_clear": fresh and op.context == 0 and not op.keep,
                **(of_pair(op, last) if both else of_column(op, n, last, pair, half)),
                **({"both": both} if machine.paired else {}),
            }  # fmt: skip


def of_column(op, n, last, pair, half):
    """What goes with a slot of one column."""
    return {
        "gradients": 2 * pair + half, "q": (op.extra + n) % 64,
        "mask_high": op.prior and not (last and op.bias != Bias.NONE),
    }  # fmt: skip


def of_pair(op, last):
    """What goes with a slot of two rates, as in a FORWARD."""
    return {
        "mask_low": op.prior and not (last and op.bias == Bias.LOW),
        "mask_high": op.prior and not (last and op.bias == Bias.HIGH),
    }


def apply(op, at, rows, timing):
    """Gradient, its numbers, its weight and its result, one column of one group per cycle."""
    at += KEY - WALKER
    # the lanes' own hop, which is in their delay then; a result is behind what a lane chooses, too
    hop = int(timing.machine.near)
    later = hop + timing.shared
    turn = op.skip if timing.shared else 0
    for n in range(2 * op.words * op.groups):
        pair, half = (op.weights + n // 2) % 512, n % 2
        i, j = n // (2 * op.words) * rows, n % (2 * op.words)
        place = {"weights": pair, "half": half}
        place_of = {"en": 0, "gradients": (2 * op.weights + n) % 1024}
        yield at + n, "slot", place_of | ({"fold": 1 << turn} if op.table in CARRYING else {})
        yield at + n + timing.gradient + hop, "lane", {"i": i, "j": j}
        yield at + n + timing.apply_weight, "slot", {"en": 0, "back": 1, **place}
        end = at + n + timing.gradient + timing.result - 1 + later
        yield end, "lane", {"live": 1, **place}


def begins(op, machine):
    """Issue of an operation to the start of its slots; it stands until then, or is kept aside."""
    return Timing(machine).lead if op.kind == Kind.BACK else 0


def earliest(op, before, at, last, machine):
    """Issue of an operation behind another one, which was issued at `at` and has its last slot at
    `last`."""
    if before.kind == Kind.APPLY or op.kind == Kind.APPLY:
        return last + 1
    first = max(at + begins(before, machine) + 2, last - 1 - begins(op, machine))
    if op.kind == before.kind == Kind.BACK:  # its pushes come behind those of the one before
        first = max(first, last - Timing(machine).slots(before))
    return first


def expected(op, machine, fresh):
    if op.kind == Kind.FORWARD:
        return forward(op, WALKER - 1)
    if op.kind == Kind.BACK:
        return back(op, WALKER - 1, machine, fresh)
    return apply(op, WALKER - 1, machine.rows, Timing(machine))


STROBES = {"slot": "en", "push": "en", "lane": "live"}


def check(play, wanted, end):
    """All that is wanted is seen, and no strobe beside it."""
    machine = Machine.from_json(values()["machine"])
    layouts = {"slot": Slot(machine), "push": Push(machine), "lane": ApplySlot(machine)}
    for at in range(end):
        for name, layout in layouts.items():
            fields = wanted.get((at, name), {})
            seen = unpacked(layout, play.seen[name, at])
            assert seen[STROBES[name]] == fields.get(STROBES[name], 0), (at, name)
            assert {field: seen[field] for field in fields} == fields, (at, name)
            assert seen.get("fold", 0) == fields.get("fold", 0), (at, name)


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def equals_the_loops(dut, idle):
    machine = Machine.from_json(values()["machine"])
    cycles, draw = Cycles(dut), Random(f"{machine.rows} {idle}")
    await cycles.reset()
    play, wanted, waits = Timeline(cycles), {}, gaps(idle)
    before, at, last = Operation(Kind.APPLY), 0, 0
    for _ in range(OPERATIONS[idle == "none"]):
        rules = (Rule.SGD, *CARRYING) if machine.carry else (Rule.SGD,)
        op, fresh = drawn(draw, machine, rules), draw.randrange(2)
        at = earliest(op, before, at, last, machine) + next(waits)
        start = at + begins(op, machine)
        kept = op.kind == Kind.BACK and Timing(machine).aside
        for cycle in (start - 1, start) if kept else ():
            play.set(cycle, "aside", (1 << ASIDE) - 1)
        for cycle in range(at - 1, (at if kept else start) + 1):
            play.set(cycle, "op", sum(c << n * CHUNK for n, c in enumerate(op.encode())))
            play.set(cycle, "kinds", 1 << op.kind)
        if op.kind in PULSES:
            play.set(at, PULSES[op.kind], 3)  # a bit for each register
        play.set(start, "start", STARTS)
        play.set(start, "fresh", fresh)
        before, last = op, at
        for cycle, name, fields in expected(op, machine, fresh):
            there = wanted.setdefault((at + cycle, name), {})
            assert all(there.get(field, value) == value for field, value in fields.items())
            there |= fields
            last = max(last, at + cycle)
    for cycle in range(last + 1):
        for name in STROBES:
            play.look(cycle, name)
    play.fill(("op", "kinds", "fresh"), draw)
    await play.play()
    check(play, wanted, last + 1)


@cocotb.test()
async def resets_in_mid_sweep(dut):
    machine = Machine.from_json(values()["machine"])
    cycles, draw = Cycles(dut), Random(3)
    await cycles.reset()
    for _ in range(30):
        op = drawn(draw, machine)
        dut.op.value = sum(c << n * CHUNK for n, c in enumerate(op.encode()))
        dut.kinds.value = 1 << op.kind
        await cycles.step()
        for kind, name in PULSES.items():
            getattr(dut, name).value = 3 * (kind == op.kind)
        begin, end = begins(op, machine), draw.randrange(50)
        for cycle in range(1 + end):
            dut.start.value = STARTS * (cycle == begin)
            await cycles.step()
            dut.back.value = dut.apply.value = 0
        dut.start.value = 0
        # the last lane of an APPLY is on its way that long
        await cycles.reset(Timing(machine).result + 1)
        for _ in range(60):
            await cycles.step()
            assert not int(dut.slot.value) & 1
            assert not int(dut.push.value) & 1
            lane = unpacked(ApplySlot(machine), int(dut.lane.value))
            assert not lane["live"]


@pytest.mark.parametrize("name", MACHINES)
def test_sweeps(bench, name):
    bench(Sweeps(MACHINES[name]), machine=MACHINES[name].to_json())
