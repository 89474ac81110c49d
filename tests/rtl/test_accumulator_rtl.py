# SPDX-License-Identifier: Apache-2.0
"""A memory of sums against Python's integers: as close as RMW, cleared, not live, and folded."""

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

    def __init__(self, width, lag, behind):
        half = low_bits(width)
        self.total = Skew("total", half, width - half, pending=True, lag=lag)
        self.sums = Accumulator(Ram(width, DEPTH), self.total, behind=behind)
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


@cocotb.test()
async def what_is_folded_takes_the_place_of_a_sum(dut):
    """One word after the other, as an APPLY reads them, and behind them sums again."""
    width, lag, behind = values()["width"], values()["lag"], values()["behind"]
    if behind is None:
        return
    latency, cycles, draw = LEAD + (WRITE if lag else 1), Cycles(dut), Random(width)
    await cycles.reset()
    play, words, seen = Timeline(cycles), [0] * DEPTH, []
    for turn in range(40):
        begin = turn * 5 * DEPTH
        for address in range(DEPTH):  # what the sums are
            at, words[address] = begin + address, draw.getrandbits(width)
            for port, value in (("address", address), ("live", 1), ("clear", 1)):
                play.set(at, port, value)
            play.set(at + LEAD, "lo", words[address] & (1 << low_bits(width)) - 1)
            play.set(at + LEAD + lag, "hi", words[address] >> low_bits(width))
        for address in range(DEPTH):
            at, folds = begin + 2 * DEPTH + address, draw.random() < 0.7
            for port, value in (("address", address), ("fold", folds)):
                play.set(at, port, value)
            play.look(at + LEAD, "word")
            seen.append((at + LEAD, words[address]))
            if folds:
                words[address] = draw.getrandbits(width)
                play.set(at + latency + behind, "folded", words[address])
        for address in reversed(range(DEPTH)):  # the last one as early as it may be
            at = begin + 3 * DEPTH - 1 + RMW + behind + DEPTH - 1 - address
            play.set(at, "address", address)
            play.look(at + LEAD, "word")
            seen.append((at + LEAD, words[address]))
    await play.play()
    for at, word in seen:
        assert play.seen["word", at] == word, at


@pytest.mark.parametrize(
    ("width", "lag", "behind"),
    [(25, LAG, None), (30, LAG, 0), (32, LAG, 1), (36, LAG, 2), (31, 0, None)],
)
def test_accumulator(bench, width, lag, behind):
    bench(Sums(width, lag, behind), width=width, lag=lag, behind=behind)
