# SPDX-License-Identifier: Apache-2.0
"""An element against plain integers: exact sums and their drain, the e chain, both products.

Times as the array keeps them: operands and their flags at 0; `clear` with the first sum at 4,
`load` after the last, at 5.
"""

from random import Random

import cocotb
import pytest
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.element import Element
from antevolt.hdl.lib.skew import LAG, low_bits
from antevolt.hdl.spec.formats import Formats
from antevolt.host.words import signed as number
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline
from flow import gaps

PRODUCT, CLEAR, LOAD = 3, 4, 5


def parts(element):
    """Products that are summed, by the names of their ports."""
    even = {"even": element.g_even} if element.paired else {}
    return {"q": element.q_part, "g": element.g_part, **even}


class Seen(wiring.Component):
    """An element with its products as ports."""

    def __init__(self, formats, lag, paired):
        self.element = Element(formats, lag=lag, paired=paired)
        members = dict(self.element.signature.members)
        for part, skew in parts(self.element).items():
            members |= {f"{part}_lo": Out(len(skew.lo)), f"{part}_round": Out(1)}
            members |= {f"{part}_hi": Out(signed(len(skew.hi)))}
        super().__init__(members)

    def elaborate(self, platform):
        m = Module()
        m.submodules.element = element = self.element
        for name, member in element.signature.members.items():
            inner, outer = getattr(element, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow == In else outer.eq(inner)
        for part, skew in parts(element).items():
            for name in ("lo", "hi", "round"):  # without a drop nothing is rounded
                inner = getattr(skew, name)
                m.d.comb += getattr(self, f"{part}_{name}").eq(0 if inner is None else inner)
        return m


class Bench:
    """An element, words of its range, and what is to be seen."""

    def __init__(self, dut):
        self.f, self.lag = Formats(word=values()["word"]), values()["lag"]
        self.paired = values()["paired"]
        self.cycles, self.draw = Cycles(dut), Random(1)
        self.play, self.expected = Timeline(self.cycles), {}

    def word(self):
        half = 1 << (self.f.word - 1)
        return self.draw.choice([-half, half - 1, 0, self.draw.randrange(-half, half)])

    def pair(self, low, high):
        mask = (1 << self.f.word) - 1
        return low & mask | (high & mask) << self.f.word

    def operands(self, at, words):
        """Of a forward slot: two weights, two rates."""
        self.play.set(at, "w", self.pair(*words[:2]))
        self.play.set(at, "r", self.pair(*words[2:]))
        self.play.set(at, "take", 1)
        self.play.set(at, "back", 0)

    def want(self, at, port, value):
        self.play.look(at, port)
        self.expected[port, at] = value

    def sum(self, at, name, value, shift):
        """A skewed sum: its low word at `at`, the rest `lag` later."""
        self.want(at, f"{name}_lo", value & (1 << shift) - 1)
        self.want(at + self.lag, f"{name}_hi", value >> shift)

    async def check(self):
        await self.play.play()
        for (port, at), value in self.expected.items():
            seen = self.play.seen[port, at]
            width = len(getattr(self.cycles.dut, port))
            same = number(seen, width) if port == "e" or port.endswith("_hi") else seen
            assert same == value, (port, at)


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def forward_sums(dut, idle):
    """Sums drained while the next is made. In the pauses of a sum the activities are 0, as the
    array has it; between sums, and in all that has an enable, anything passes by."""
    bench, waits = Bench(dut), gaps(idle)
    play, draw, at, f = bench.play, bench.draw, 0, bench.f
    await bench.cycles.reset()
    for _ in range(80):
        length, total = draw.randrange(8, 20), 0
        at += next(waits)
        play.set(at + CLEAR, "clear", 1)
        for n in range(length):
            for _ in range(next(waits) if n else 0):
                bench.operands(at, [bench.word(), bench.word(), 0, 0])
                at += 1
            operands = [bench.word() for _ in range(4)] if draw.random() < 0.8 else [0] * 4
            bench.operands(at, operands)
            total += operands[0] * operands[2] + operands[1] * operands[3]
            at += 1
        play.set(at - 1 + LOAD, "load", 1)
        drained, widest = at + LOAD, 1 << f.accumulator - 6
        entering = draw.randrange(-widest, widest)
        bench.sum(drained, "d", total, f.word)
        stays = draw.randrange(4)
        bench.sum(drained + stays, "d", total, f.word)
        play.set(drained + stays, "d_shift", 1)
        play.set(drained + stays, "d_in_lo", entering & (1 << f.word) - 1)
        play.set(drained + stays + bench.lag, "d_in_hi", entering >> f.word)
        bench.sum(drained + stays + 1, "d", entering, f.word)
    between = ("w", "r", "back", "take", "d_in_lo", "d_in_hi", "e_in", "e_shift")
    play.fill(between, Random(2))
    await bench.check()


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def back_products(dut, idle):
    """The e that is there with the first operands holds, also over pauses; the next moves in
    meanwhile."""
    bench, waits = Bench(dut), gaps(idle)
    play, draw, at, f = bench.play, bench.draw, 0, bench.f
    await bench.cycles.reset()
    for _ in range(80):
        e, length = bench.word(), draw.randrange(3, 12)
        play.set(at, "e_shift", 1)
        play.set(at, "e_in", e)
        at += 1
        bench.want(at, "e", e)
        both = bench.paired and draw.randrange(2)
        following, moves = bench.word(), draw.randrange(2)
        play.set(at, "e_in", following)  # while the sweep goes on with the e before
        play.set(at, "e_shift", moves)
        bench.want(at + 1, "e", following if moves else e)
        for n in range(length):
            w, r, low = (bench.word() for _ in range(3))
            play.set(at, "w", bench.pair(w, bench.word()))
            play.set(at, "r", bench.pair(low, r))
            play.set(at, "back", 1)
            play.set(at, "take", n == 0)
            products = {"g": (e * r, f.g_drop, f.g.width)}
            if both:
                play.set(at, "both", 1)
                products["even"] = e * low, f.g_drop, f.g.width
            else:
                products["q"] = w * e, f.q_drop, f.q.width
                if bench.paired:  # the one product is for whom the column belongs to
                    products["even"] = products["g"]
            for name, (value, drop, wide) in products.items():
                bench.sum(at + PRODUCT, name, value >> drop, low_bits(wide))
                bench.want(at + PRODUCT, f"{name}_round", 2 * value >> drop & 1 if drop else 0)
            at += 1 + (next(waits) if n < length - 1 else 0)
        pause = next(waits)
        # the next e may come with the last slot
        at += pause or -draw.randrange(2)
    play.fill(("w", "r", "back", "e_in", "d_in_lo", "d_in_hi"), Random(2))
    await bench.check()


CASES = [
    (8, LAG, 0),
    (12, LAG, 0),
    (16, LAG, 0),
    (18, LAG, 0),
    (12, 0, 0),
    (18, LAG, 1),
    (12, 0, 1),
]


@pytest.mark.parametrize(("word", "lag", "paired"), CASES)
def test_element(bench, word, lag, paired):
    bench(Seen(Formats(word=word), lag, bool(paired)), word=word, lag=lag, paired=paired)
