# SPDX-License-Identifier: Apache-2.0
"""Values on their way through a unit that takes a new one every period, against a list of them."""

import re
from random import Random

import cocotb
import pytest
from amaranth.back import rtlil
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.held import Pipeline
from antevolt.hdl.lib.family import Blocks
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline
from flow import gaps

BITS, LENGTH = 12, 23
USES = {"a": (0, (0, 1, 2, 9, LENGTH)), "b": (4, (4, 5, 11, 20)), "c": (LENGTH, (LENGTH,))}
"""Of each value: when it is ready, and when it is needed."""


class Line(wiring.Component):
    """The values of `USES`, and the strobe, at all times at which they are needed."""

    def __init__(self, period, family="generic"):
        self.period, self.family = period, family
        super().__init__(
            {"start": In(1), "at": Out(LENGTH + 1)}
            | {name: In(BITS) for name in USES}
            | {f"{name}_{need}": Out(BITS) for name, (_, needs) in USES.items() for need in needs}
        )

    def elaborate(self, platform):
        m = Module()
        line = Pipeline(m, self.start, self.period, LENGTH)
        for time in range(LENGTH + 1):
            m.d.comb += self.at[time].eq(line.at(time))
        for name, (ready, needs) in USES.items():
            for need in needs:
                held = line.hold(name, getattr(self, name), ready, need)
                m.d.comb += getattr(self, f"{name}_{need}").eq(held)
        line.finish(Blocks(self.family))
        return m


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def every_neuron_has_its_own(dut, idle):
    """At the densest starts, with pauses, and with other values on the wires between."""
    cycles, draw, period = Cycles(dut), Random(1), values()["period"]
    await cycles.reset()
    play, expected, at, waits = Timeline(cycles), {}, 0, gaps(idle)
    for _ in range(400):
        play.set(at, "start", 1)
        for name, (ready, needs) in USES.items():
            word = draw.getrandbits(BITS)
            play.set(at + ready, name, word)
            for need in needs:
                play.look(at + need, f"{name}_{need}")
                expected[f"{name}_{need}", at + need] = word
        for time in range(LENGTH + 1):
            expected["at", at + time] = expected.get(("at", at + time), 0) | 1 << time
        at += period + next(waits)
    for cycle in range(play.last + 1):
        play.look(cycle, "at")
    await play.play()
    assert play.seen == {("at", cycle): 0 for cycle in range(play.last + 1)} | expected


@cocotb.test()
async def a_reset_forgets_all(dut):
    cycles = Cycles(dut)
    await cycles.reset()
    for after in range(LENGTH):
        dut.start.value = 1
        await cycles.step()
        dut.start.value = 0
        await cycles.run(after)
        assert int(dut.at.value) >> 1 == 1 << after
        await cycles.reset(1)
        await cycles.step()
        assert not int(dut.at.value)


@pytest.mark.parametrize("family", ["generic", "ice40"])
@pytest.mark.parametrize("period", [1, 2, 5])
def test_held(bench, period, family):
    bench(Line(period, family), period=period)


@pytest.mark.parametrize(
    ("family", "style"), [("ecp5", "distributed"), ("gowin", "distributed"), ("ice40", None)]
)
def test_memories_are_of_luts_where_a_family_has_them(family, style):
    found = re.findall(r'ram_style "(\w+)"', rtlil.convert(Line(2, family)))
    assert set(found) == ({style} if style else set())
    assert ("memory width" in rtlil.convert(Line(2, family))) == (style is not None)


def test_a_value_is_not_needed_before_it_is_ready():
    line = Pipeline(None, None, 2, 0)  # a Module that nobody uses would warn, in a later test
    with pytest.raises(ValueError, match="x is needed at 2 but ready at 3"):
        line.hold("x", None, 3, 2)
