# SPDX-License-Identifier: Apache-2.0
"""Commands of the filter operations against plain loops: all kinds, random operands.

Cycles count from the issue's pulse, which is one cycle behind the ISSUE that `spec.timing` means.
Inside an operation the timetable is fixed; what pauses is the time from the last neuron of one to
the issue of the next, and there the operation's fields, the bus and the write port of the
coefficients hold anything.
"""

from random import Random

import cocotb
import pytest

from access_bus import WRITTEN
from antevolt.hdl.core.bundles import Access, FilterCommand, coefficient
from antevolt.hdl.core.neurons import Neurons
from antevolt.hdl.core.sequencer import LISTENERS
from antevolt.hdl.core.tap import reply_latency
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import CHUNK, Bias, Cost, Kind, Operation
from antevolt.hdl.spec.timing import COEFFICIENTS, MIN_DELAY, WALKER, Timing
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed, unpacked
from flow import gaps

KINDS = (Kind.MEMBRANE, Kind.ERROR, Kind.TRACE, Kind.EXP, Kind.NORM)
OPERATIONS = 60, 120  # with pauses and without
DEPTH = 32
STARTS = (1 << LISTENERS["filters"]) - 1
AFTER = 9  # cycles behind the last operation that are looked at
SIZES = {"state_depth": DEPTH, "r_depth": 32, "io_depth": 32, "tables": 3}
MACHINES = {
    "1x1": Machine(multipliers=2, spacing=4, formats=Formats(word=16), **SIZES),
    "3x2": Machine(rows=3, streams=2, filters=3, contexts=2, **SIZES),
    "4x1, a neuron per cycle": Machine(rows=4, tile_rows=2, multipliers=5, **SIZES),
    "1x1, near": Machine(spacing=12, near=True, **SIZES),
}


def drawn(draw, machine):
    """An operation of any operands that its fields hold."""
    n = draw.randrange(1, 11)
    flags = ("prior", "output", "head", "odd", "shared")
    spacing, pause = machine.interval, draw.choice([0, 0, 1, 3])
    return Operation(
        draw.choice(KINDS), **{name: draw.randrange(2) for name in flags},
        **{name: draw.randrange(DEPTH) for name in ("weights", "rates", "neurons", "extra")},
        context=draw.randrange(4), bias=draw.choice(list(Bias)), cost=draw.choice(list(Cost)),
        table=draw.randrange(4), n=n, interval=(machine.rows + pause) * spacing,
    )  # fmt: skip


def commands(op, machine, words):
    """(cycle, fields) of an operation issued at 0."""
    rows, spacing, kind = machine.rows, machine.interval, op.kind
    interval = op.interval if kind == Kind.MEMBRANE else rows * spacing
    error = kind in (Kind.ERROR, Kind.NORM)
    for number in range(op.n):
        place = (op.weights + (0 if op.shared else number)) % machine.coefficient_depth
        c = sum(
            words[(2 * place + error) * 4 + which] << which * coefficient(machine).size
            for which in range(3)
        )
        at = number // rows * interval + number % rows * spacing
        yield WALKER + COEFFICIENTS - 1 + at, {
            "start": 1, "error": error, "neuron": (op.neurons + number) % DEPTH, "c": c,
            "context": op.context, "prior": op.prior, "cost": op.cost != Cost.HIDDEN,
            "softmax": op.cost == Cost.SOFTMAX, "drawn": kind in (Kind.TRACE, Kind.EXP),
            "exp": kind == Kind.EXP, "norm": kind == Kind.NORM, "first": number == 0 and op.head,
            "output": op.output, "table": op.table,
            "rates": (op.rates + (number + op.odd) // 2) % 32, "odd": (number + op.odd) % 2,
            "last": number == op.n - 1, "one": op.bias == Bias.HIGH,
            "extra": (op.extra + number) % 32,
        }  # fmt: skip


async def load(cycles, machine, draw):
    """Random coefficients, written and read back over the bus; returns them by index."""
    words = {
        n: draw.getrandbits(coefficient(machine).size)
        for n in range(8 * machine.coefficient_depth)
        if n % 4 < 3
    }
    for index, word in words.items():
        for other in (False, True):  # writes elsewhere change nothing
            region = Region.PROGRAM if other else Region.COEFFICIENTS
            fields = {"write": 1, "region": region, "index": index, "data": word ^ other}
            cycles.dut.access.value = packed(Access(), **fields)
            await cycles.step()
    for index, word in words.items():
        fields = {"read": 1, "region": Region.COEFFICIENTS, "index": index}
        cycles.dut.access.value = packed(Access(), **fields)
        await cycles.step()
        cycles.dut.access.value = 0
        await cycles.run(reply_latency(machine.near) - 1)
        assert int(cycles.dut.reply.value) == word
    await cycles.run(WRITTEN)
    return words


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def equals_the_loops(dut, idle):
    machine = Machine.from_json(values()["machine"])
    cycles, layout, waits = Cycles(dut), FilterCommand(machine), gaps(idle)
    draw = Random(f"{machine.rows} {idle}")
    await cycles.reset()
    words = await load(cycles, machine, draw)
    play, wanted, at, step = Timeline(cycles), {}, 1, 0
    play.set(0, "step", 1)
    for number in range(OPERATIONS[idle == "none"]):
        op = drawn(draw, machine)
        for cycle in (at - 1, at):
            play.set(cycle, "op", sum(c << n * CHUNK for n, c in enumerate(op.encode())))
            play.set(cycle, "kinds", 1 << op.kind)
        play.set(at, "start", STARTS)
        for cycle, fields in commands(op, machine, words):
            # units take turns from the start of the step, by the cycle in which a neuron is chosen
            turn = (at + cycle - (COEFFICIENTS + 1) - step - 1) // machine.interval
            wanted[at + cycle] = fields | {"unit": turn % machine.filters}
        last = max(wanted) - (COEFFICIENTS + 1) + next(waits)
        last += machine.interval - 1  # the timetable parts two operations' neurons as those of one
        at = max(last, at + MIN_DELAY)
        if number % 5 == 4:
            at += COEFFICIENTS + 1
            step = at
            play.set(step, "step", 1)
            at += draw.randrange(1, 9)
    for cycle in range(at + AFTER):
        play.look(cycle, "command")
    play.fill(("op", "kinds", "fresh", "tune_address", "tune_data"), draw)
    play.fill(["access"], draw, quiet=packed(Access(), write=1, read=1))
    await play.play()
    assert len(wanted) > (500 if idle == "none" else 250)
    for cycle in range(at + AFTER):
        seen = unpacked(layout, play.seen["command", cycle])
        fields = wanted.get(cycle, {"start": 0})
        assert {name: seen[name] for name in fields} == fields, cycle
        start = max((c for c in wanted if c <= cycle), default=-100)
        if start < cycle <= start + Timing(machine).rest:  # it rests
            fields = {name: v for name, v in wanted[start].items() if name != "start"}
            assert {name: seen[name] for name in fields} == fields, cycle


@cocotb.test()
async def resets_in_mid_operation(dut):
    machine = Machine.from_json(values()["machine"])
    cycles, draw = Cycles(dut), Random(3)
    await cycles.reset()
    for _ in range(40):
        op = drawn(draw, machine)
        dut.op.value = sum(c << n * CHUNK for n, c in enumerate(op.encode()))
        dut.kinds.value = 1 << op.kind
        await cycles.step()
        dut.start.value = STARTS
        await cycles.step()
        dut.start.value = 0
        await cycles.run(draw.randrange(20))
        await cycles.reset(1)
        for _ in range(30):
            assert not int(dut.command.value) & 1
            await cycles.step()


@pytest.mark.parametrize("name", MACHINES)
def test_neurons(bench, name):
    bench(Neurons(MACHINES[name]), machine=MACHINES[name].to_json())
