# SPDX-License-Identifier: Apache-2.0
"""Number and shift from moments, against the twin: all rules, words of all kinds."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.bundles import ApplyRule
from antevolt.hdl.core.quotient import LATENCY, SHIFT_LATENCY, Quotient
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import EXPONENTS, FRACTION, NEEDS, WORD, ZERO, Rule
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import packed
from antevolt.sim.golden.direction import _quotient
from antevolt.sim.golden.moments import split
from flow import flow


@cocotb.test()
async def equals_the_model(dut):
    machine = Machine.from_json(values()["machine"])
    width, count = machine.formats.g.width, 300
    cycles, draw = Cycles(dut), np.random.default_rng(machine.moments)
    await cycles.reset()
    for rule in (rule for rule in Rule if 0 < NEEDS[rule] <= machine.moments):
        for n, eta_k in enumerate((0, 7, 20, 33, 63)):
            dut.rule.value = packed(ApplyRule(), rule=rule, k=eta_k)
            words = [draw.integers(0, 1 << WORD, count) for _ in range(2)]
            for which, each in enumerate(words):  # some are zero
                each[draw.random(count) < 0.1] &= ~(((1 << EXPONENTS[which]) - 1) << FRACTION)
            if machine.moments == 1:
                words[1][:] = 0
            number, exponent = _quotient(rule, split(words[0], 0), split(words[1], 1))
            shift = np.clip(eta_k + width - 2 + ZERO - exponent, 0, 63)
            await flow(
                cycles,
                {"first": (0, words[0]), "second": (0, words[1])},
                {
                    "number": (LATENCY, number << width - 1 - 2 * (FRACTION + 1)),
                    "shift": (SHIFT_LATENCY, shift),
                },
                STALLS[n % len(STALLS)],
            )


@pytest.mark.parametrize(("moments", "word"), [(1, 18), (2, 18), (2, 12)])
def test_quotient(bench, moments, word):
    machine = Machine(moments=moments, formats=Formats(word))
    bench(Quotient(machine), machine=machine.to_json())
