# SPDX-License-Identifier: Apache-2.0
"""The moments' memory: words by address, from the lane and from the access bus."""

import cocotb
import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from access_bus import WRITTEN
from antevolt.hdl.core.bundles import Access
from antevolt.hdl.core.moments import Moments
from antevolt.hdl.core.tap import DECODE, Tap
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.hdl.spec.timing import LEAD
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from flow import gaps

DEPTH = 16
ANSWERS = DECODE + Ram.latency  # cycles from an access to its word, before those of the reply


class Tapped(wiring.Component):
    """A row's moments on the access bus."""

    def __init__(self, machine):
        self.moments = Moments(machine)
        ports = {"access": In(Access()), "answer": Out(DATA_BITS)}
        super().__init__({**ports, **dict(self.moments.signature.members.items())})

    def elaborate(self, platform):
        m = Module()
        m.submodules.moments = inner = self.moments
        tap = Tap(m, self.access, 3)
        inner.tap(tap)
        for name, member in inner.signature.members.items():
            own, other = getattr(self, name), getattr(inner, name)
            m.d.comb += own.eq(other) if member.flow == Out else other.eq(own)
        m.d.comb += self.answer.eq(tap.answers[0])
        return m


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def words_come_back(dut, idle):
    width = 18 * values()["moments"]
    cycles, draw, waits = Cycles(dut), np.random.default_rng(0), gaps(idle)
    await cycles.reset()
    play, words = Timeline(cycles), {}
    now = 0
    for address in draw.permutation(2 * DEPTH).tolist():
        words[address] = int(draw.integers(0, 1 << width))
        if draw.random() < 0.5:
            for port, value in (("address", address), ("data", words[address]), ("en", 1)):
                play.set(now, port, value)
        else:
            given = {"region": Region.MOMENTS, "unit": 3, "index": address, "write": 1}
            play.set(now, "access", packed(Access(), **given, data=words[address]))
        # the bus acts cycles later than the lane, and both write at one port
        now += WRITTEN + next(waits)
    now += WRITTEN + 1
    for address in sorted(words):
        play.set(now, "raddr", address)
        play.look(now + LEAD, "word")
        now += 1 + next(waits)
    for address in sorted(words):
        given = {"region": Region.MOMENTS, "unit": 3, "index": address, "read": 1}
        play.set(now + 3, "access", packed(Access(), **given))
        play.look(now + 3 + ANSWERS, "answer")
        now += 1 + next(waits)
    await play.play()
    seen = [value for _, value in sorted((at, value) for (_, at), value in play.seen.items())]
    assert seen == 2 * [words[address] for address in sorted(words)]


@pytest.mark.parametrize("moments", [1, 2])
def test_moments(bench, moments):
    bench(Tapped(Machine(moments=moments, w_depth=DEPTH)), moments=moments)
