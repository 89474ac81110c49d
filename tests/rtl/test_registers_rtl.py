# SPDX-License-Identifier: Apache-2.0
"""The registers against plain counts: steps, learning steps, and every event of every cycle."""

import cocotb
import pytest

from antevolt.hdl.core.registers import Registers
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.bench.streams import STALLS
from registers_bench import any_accesses, any_resets, any_steps

MACHINE = Machine(rows=3, streams=2, contexts=2, moments=1, sums=False)
SMALL = Machine(saturations=False, spacing=9)


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


@pytest.mark.parametrize("machine", [MACHINE, SMALL], ids=["all", "no saturations"])
def test_registers(bench, machine):
    bench(Registers(machine), machine=machine.to_json())
