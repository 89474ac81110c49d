# SPDX-License-Identifier: Apache-2.0
"""A memory of sums against Python's integers: as close as RMW, cleared, and not live."""

from itertools import islice
from random import Random

import cocotb
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.accumulator import Accumulator
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.lib.skew import Skew, low_bits
from antevolt.hdl.spec.timing import LAG, LEAD, RMW, WRITE
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline
from flow import gaps

WORDS = {"none": 3000} | dict.fromkeys(STALLS[1:], 700)
DEPTH = 16


class Sums(wiring.Component):
    """An accumulator with its memory joined and its total as ports."""

    def __init__(self, width, lag):
        half = low_bits(width)
        self.total = Skew("total", half, width - half, pending=True, lag=lag)
        self.sums = Accumulator(Ram(width, DEPTH), self.total)
        super().__init__(
            {
                **{name: In(member.shape) for name, member in self.sums.signature.members.items()
                   if member.flow == In},
                **{name: Out(member.shape) for name, member in self.sums.signature.members.items()
                   if member.flow == Out},
                **{"lo": In(half), "hi": In(signed(width - half)), "round": In(1)},
            }
        )  # fmt: skip

    def elaborate(self, platform):
        m = Module()
        m.submodules.sums = sums = self.sums
        for name, member in sums.signature.members.items():
            inner, outer = getattr(sums, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        m.d.comb += [
            *(self.total.lo.eq(self.lo), self.total.hi.eq(self.hi)),
            *(self.total.round.eq(self.round), sums.ram.raddr.eq(self.address)),
            *(sums.ram.waddr.eq(sums.done_address), sums.ram.wdata.eq(sums.done_data)),
            sums.ram.wen.eq(sums.done_live),
        ]
        return m


def places(draw, idle):
    """(cycle, address), one per cycle at most and no address again before RMW; pauses of `idle`."""
    waits, at, last = gaps(idle, seed=3), 0, dict.fromkeys(range(DEPTH), -RMW)
    while True:
        # the same few words as often as they may, or any
        address = draw.choice([0, 1, draw.randrange(DEPTH)])
        at = max(at + 1 + draw.choice([0, 0, 0, 2]) + next(waits), last[address] + RMW)
        last[address] = at
        yield at, address


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def sums_are_exact(dut, idle):
    width, lag = values()["width"], values()["lag"]
    latency = LEAD + (WRITE if lag else 1)
    half, cycles, draw = low_bits(width), Cycles(dut), Random(width)
    mask = (1 << width) - 1
    await cycles.reset()
    play, words, expected = Timeline(cycles), {}, []
    for at, address in islice(places(draw, idle), WORDS[idle]):
        clear = address not in words or draw.random() < 0.1
        live = address not in words or draw.random() < 0.9
        total = draw.randrange(-1 << (width - 1), 1 << (width - 1)) >> draw.randrange(width)
        enters = draw.randrange(2)
        play.set(at, "address", address)
        play.set(at, "live", live)
        play.set(at, "clear", clear)
        play.set(at + LEAD, "lo", total & (1 << half) - 1)
        play.set(at + LEAD, "round", enters)
        play.set(at + LEAD + lag, "hi", total >> half)
        done = at + latency
        for port in ("done_data", "done_address", "done_live"):
            play.look(done, port)
        play.look(at + LEAD, "word")
        before = 0 if clear else words[address]
        after = before + total + enters & mask
        expected.append((at, before, done, after, address, live))
        if live:
            words[address] = after
    lives = {done for _, _, done, _, _, live in expected if live}
    for cycle in range(play.last):
        if cycle not in {done for _, _, done, *_ in expected}:
            play.look(cycle, "done_live")
    await play.play()
    for at, before, done, after, address, live in expected:
        assert play.seen["word", at + LEAD] == before, at
        assert play.seen["done_data", done] == after, at
        assert play.seen["done_address", done] == address
        assert play.seen["done_live", done] == live
    pulses = {at for (port, at), value in play.seen.items() if port == "done_live" and value}
    assert pulses - lives <= set(range(latency))  # what stood there before


@pytest.mark.parametrize(("width", "lag"), [(25, LAG), (30, LAG), (32, LAG), (36, LAG), (31, 0)])
def test_accumulator(bench, width, lag):
    bench(Sums(width, lag), width=width, lag=lag)
