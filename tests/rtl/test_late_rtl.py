# SPDX-License-Identifier: Apache-2.0
"""A delay as every family has it, against a list of what went in."""

from random import Random

import cocotb
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.family import Blocks
from antevolt.hdl.lib.late import Late, late
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles

WIDTH = 11


class Made(wiring.Component):
    """A `Late` as one family has it, and beside it what `late` makes of any number of cycles."""

    def __init__(self, family, cycles, more):
        self.family, self.cycles, self.more = family, cycles, more
        super().__init__({"i": In(WIDTH), "o": Out(WIDTH), "chain": Out(WIDTH)})

    def elaborate(self, platform):
        m = Module()
        inner = Module()
        inner.submodules.unit = unit = Late(WIDTH, self.cycles)
        inner.d.comb += [
            *(unit.i.eq(self.i), self.o.eq(unit.o)),
            self.chain.eq(late(inner, self.i, self.more, "chain")),
        ]
        m.submodules.inner = Fragment.get(inner, Blocks(self.family))
        return m


@cocotb.test()
async def equals_the_list(dut):
    """A reset in between changes nothing."""
    cycles, draw, given = Cycles(dut), Random(1), []
    for cycle in range(300):
        given.append(draw.getrandbits(WIDTH))
        dut.i.value = given[-1]
        dut.rst.value = int(cycle % 50 == 23)
        await cycles.step()
        for port in ("o", "chain"):
            before = len(given) - values()[port]
            if before >= 0:
                assert int(getattr(dut, port).value) == given[before], (port, cycle)


@pytest.mark.parametrize("family", ["generic", "ecp5", "gowin"])
@pytest.mark.parametrize(("cycles", "more"), [(4, 18), (16, 37)])
def test_late(bench, family, cycles, more):
    bench(Made(family, cycles, more), o=cycles, chain=more)
