# SPDX-License-Identifier: Apache-2.0
"""The rate: silent until asked, a new rate on trial, back when nobody is heard."""

import cocotb

from antevolt.hdl.io.rate import CALM, Rate
from antevolt.hdl.spec.link import LinkParameters
from antevolt.sim.bench.streams import Cycles

LINK = LinkParameters(silence=200e-6, trial=50e-6)
SILENCE, TRIAL = (round(seconds * LINK.clock_hz) for seconds in (LINK.silence, LINK.trial))
SLOW, FAST = LINK.divisor(LINK.power_up_baud), LINK.divisor(LINK.fastest_baud)
SEEN = 10  # cycles in which a change of the state shows, or would
ALMOST = 5  # cycles short of silence
REPLY = 50  # cycles of a reply on the line
RESENT = 20  # cycles of one more
CALMER = 3  # cycles from the end of the calm to the new rate


class Bench:
    def __init__(self, dut):
        self.dut, self.cycles = dut, Cycles(dut)

    async def pulse(self, **inputs):
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        await self.cycles.step()
        for name in inputs:
            getattr(self.dut, name).value = 0

    @property
    def state(self):
        return int(self.dut.divisor.value), int(self.dut.mute.value)


@cocotb.test()
async def speaks_when_it_was_asked(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    assert bench.state == (SLOW, 1)
    await bench.pulse(heard=1)
    await bench.cycles.run(SEEN)
    assert bench.state == (SLOW, 1)
    await bench.pulse(heard=1, opens=1)
    await bench.cycles.run(SEEN)
    assert bench.state == (SLOW, 0)


@cocotb.test()
async def falls_silent(dut):
    """So many cycles after the last good frame, no earlier and not much later."""
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.pulse(heard=1, opens=1)
    for _ in range(3):
        await bench.cycles.run(SILENCE - ALMOST)
        await bench.pulse(heard=1)
    await bench.cycles.run(SILENCE - ALMOST)
    assert bench.state == (SLOW, 0)
    await bench.cycles.run(SEEN)
    assert bench.state == (SLOW, 1)


async def changed(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.pulse(heard=1, opens=1)
    await bench.pulse(heard=1, change=1, wanted=FAST)
    await bench.cycles.run(REPLY)  # the reply is on the line
    assert int(dut.changing.value)
    assert bench.state == (SLOW, 0)
    dut.drained.value = 1
    await bench.cycles.run(CALM - CALMER + 1)
    dut.drained.value = 0  # a reply more
    await bench.cycles.run(RESENT)
    assert bench.state == (SLOW, 0)
    dut.drained.value = 1
    await bench.cycles.run(CALM + CALMER)
    assert bench.state == (FAST, 0)
    assert not int(dut.changing.value)
    return bench


@cocotb.test()
async def a_new_rate_stays_when_something_is_heard(dut):
    bench = await changed(dut)
    await bench.cycles.run(TRIAL - SEEN)
    await bench.pulse(heard=1)
    await bench.cycles.run(SILENCE - SEEN)
    assert bench.state == (FAST, 0)
    await bench.cycles.run(RESENT)
    assert bench.state == (SLOW, 1)


@cocotb.test()
async def a_new_rate_goes_when_nothing_is_heard(dut):
    bench = await changed(dut)
    await bench.cycles.run(TRIAL + SEEN)
    assert bench.state == (SLOW, 1)


def test_rate(bench):
    bench(Rate(LINK))
