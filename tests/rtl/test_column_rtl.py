# SPDX-License-Identifier: Apache-2.0
"""A column against its twin: commands of all kinds, all memories, flags and saturations."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.column import Column
from antevolt.hdl.core.tap import REPLY_LATENCY
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS
from antevolt.hdl.spec.program import Cost, Kind
from antevolt.hdl.spec.timing import filter_schedule
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from column_bench import DEPTH, Bench
from flow import gaps

ROUNDS, PAUSED = 40, 4
"""Without pauses, and with each of the others."""
SIZES = {"state_depth": DEPTH, "r_depth": DEPTH, "io_depth": DEPTH, "tables": 2, "phi_log2": 4}
CASES = {
    "dense": (Machine(multipliers=5, **SIZES), 0),
    "filters": (Machine(filters=2, contexts=2, formats=Formats(word=16), **SIZES), 3),
    "short": (Machine(contexts=2, spacing=13, formats=Formats(word=12), **SIZES), 1),
    "near": (Machine(spacing=12, near=True, formats=Formats(word=12), **SIZES), 1),
    "shortest": (Machine(multipliers=2, formats=Formats(word=8), **SIZES), 2),
    "plain": (Machine(multipliers=2, traces=False, softmax=False, **SIZES), 1),
}


@cocotb.test()
@cocotb.parametrize(seed=range(2))
async def equals_the_model(dut, seed):
    bench = Bench(dut, seed)
    m, kinds = bench.machine, [Kind.MEMBRANE, Kind.ERROR]
    await bench.load()
    await bench.check()
    short = m.formats.word <= 8  # there little saturates, and beta hardly ever
    rounds = ["none"] * (8 * ROUNDS if short else ROUNDS)
    waits = {idle: gaps(idle) for idle in STALLS}
    for idle in rounds + PAUSED * list(STALLS[1:]):
        bench.waits = waits[idle]
        await bench.set_flags()
        context = bench.below(m.contexts)
        await bench.sums_of_q(context, 5)
        await bench.run(
            op := bench.operation(Kind.MEMBRANE, output=bench.below(2), context=context)
        )
        if op.n % 2:  # the next population shares the last pair
            rates = {"rates": op.rates + op.n // 2, "odd": 1, "head": bench.below(2)}
            await bench.run(bench.operation(Kind.MEMBRANE, context=context, **rates))
        costs = [Cost.HIDDEN, Cost.SQUARED]
        if m.softmax:
            places = {"context": context, "n": op.n, "neurons": bench.below(DEPTH - 6)}
            await bench.run(bench.operation(Kind.EXP, **places))
            await bench.run(bench.operation(Kind.NORM, **places))
            await bench.run(bench.operation(Kind.ERROR, cost=Cost.SOFTMAX, **places))
        if m.traces:
            await bench.run(bench.operation(Kind.TRACE, context=context))
        await bench.run(bench.operation(Kind.ERROR, cost=costs[bench.below(2)], context=context))
        await bench.run(bench.kept(context=context))
        await bench.run(bench.operation(kinds[bench.below(2)], context=context))
        await bench.pushes(context)
        await bench.check()
    missing = {k for k, n in zip(KINDS, bench.saturated, strict=True) if not n}
    assert missing <= ({"w", "beta"} if short else {"w"})


@cocotb.test()
async def a_reset_in_mid_operation(dut):
    """What was not written is lost, and the memories stay."""
    bench = Bench(dut, 9)
    await bench.load()
    await bench.set_flags()
    for after in range(values()["written"] - 2, -1, -5):  # up to the cycle before it is written
        op = bench.operation(Kind.MEMBRANE, output=1)
        dut.command.value = bench.command(op, 0, 0)
        await bench.cycles.step()
        dut.command.value = 0
        await bench.cycles.run(after)
        await bench.cycles.reset(1)
        await bench.cycles.run(values()["written"])
        bench.saturated = [0] * len(KINDS)  # some were on their way
        await bench.check()


@cocotb.test()
async def replies_pass_by(dut):
    cycles, draw = Cycles(dut), np.random.default_rng(1)
    await cycles.reset()
    await cycles.run(REPLY_LATENCY)
    near, asked = Machine.from_json(values()["machine"]).near, 0
    for _ in range(50):
        before, rates = int(draw.integers(1 << 36)), int(draw.integers(1 << len(dut.reply_rates)))
        dut.reply_before.value, dut.reply_rates.value = before, rates
        await cycles.step()
        own, asked = (rates, rates) if near else (asked, rates)  # own answers take a cycle more
        assert int(dut.reply.value) == before | own


@pytest.mark.parametrize("name", CASES)
def test_column(bench, name):
    machine, number = CASES[name]
    column = Column(machine, number)
    written = filter_schedule(machine).written
    bench(column, machine=machine.to_json(), number=number, written=written)
