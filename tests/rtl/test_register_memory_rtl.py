# SPDX-License-Identifier: Apache-2.0
"""The memory of registers against plain counts: all that `test_registers_rtl` asks, no event lost,
and what it tells an APPLY."""

from functools import partial
from random import Random

import cocotb
import pytest

from antevolt.hdl.core.register_memory import APART, RegisterMemory, leisure
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.host.compile import compile
from antevolt.sim.bench.streams import STALLS
from registers_bench import WRITABLE, Bench, any_accesses, any_resets, any_steps

ALL = Machine(spacing=16, near=True, sums=False)
SMALLEST = Machine(saturations=False, spacing=16, near=True)


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def equals_the_counts(dut, idle):
    await any_accesses(dut, idle)


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def steps_that_learn(dut, idle):
    await any_steps(dut, idle)


@cocotb.test()
async def a_reset_clears_all(dut):
    await any_resets(dut)


@cocotb.test()
async def no_event_is_lost(dut):
    """The most events in every cycle, while one register is read or written as fast as can be."""
    bench, draw = Bench(dut), Random(4)
    bench.full = True
    await bench.reset()
    for number in (*range(16), *bench.cleared):
        for _ in range(25):
            await bench.check(number)
        for _ in range(25):
            await bench.write(Region.REGISTERS, number, draw.getrandbits(32))
        for _ in range(25):
            await draw.choice([bench.check, partial(bench.write, Region.REGISTERS, word=0)])(
                number=number
            )
        for counter in bench.cleared:
            await bench.check(counter)


@cocotb.test()
async def a_key_is_told_seed_and_step(dut):
    bench, draw = Bench(dut), Random(5)
    await bench.reset()
    for _ in range(60):
        await bench.write(Region.REGISTERS, Register.SEED, draw.getrandbits(32))
        await bench.write(Region.REGISTERS, Register.STEP, draw.getrandbits(32))
        await bench.step(1)
        await bench.cycles.run(bench.leisure + draw.randrange(100))
        dut.key.value = 1
        await bench.cycles.step()
        dut.key.value = 0
        for number in (Register.SEED, Register.STEP):
            assert int(dut.word.value) == bench.words[number]
            await bench.cycles.step()
        await bench.cycles.run(APART)
    for number in (*WRITABLE, *bench.cleared):
        await bench.check(number)


@pytest.mark.parametrize("machine", [ALL, SMALLEST], ids=["all", "no saturations"])
def test_register_memory(bench, machine):
    bench(RegisterMemory(machine), machine=machine.to_json())


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("machine", [ALL, SMALLEST], ids=["all", "no saturations"])
def test_no_step_is_shorter_than_what_is_due_takes(machine, schedule):
    """One neuron that does not learn: there is no smaller program."""
    network = Network(
        1, (Population(1, "linear"),), (Projection(0, 1, learn=False),), schedule=schedule
    )
    assert compile(network, machine).timetable.cycles_plain > leisure(machine)
