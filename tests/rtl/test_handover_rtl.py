# SPDX-License-Identifier: Apache-2.0
"""A handover, with one clock on both sides: every word once and in order, none while it is closed.

Two different clocks: `tests/host/test_two_clocks.py`.
"""

from random import Random

import cocotb

from antevolt.hdl.io.handover import Handover
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source, stalls

WIDTH, WORDS = 20, 60
WAY = 20  # cycles in which a word has passed, and the next one may enter


class Bench:
    def __init__(self, dut):
        self.dut, self.cycles, self.draw = dut, Cycles(dut), Random(1)
        self.source, self.sink = Source(self.cycles, "i"), Sink(self.cycles, "o")

    def words(self, count):
        return [self.draw.getrandbits(WIDTH) for _ in range(count)]

    async def passes(self, words):
        self.sink.clear()
        self.source.send(words)
        await self.cycles.until(lambda: len(self.sink.words) >= len(words))
        await self.cycles.run(WAY)
        assert self.sink.words == words


@cocotb.test()
async def words_pass(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    for before in STALLS:
        for after in STALLS:
            bench.source.stalls, bench.sink.stalls = stalls(before, 1), stalls(after, 2)
            await bench.passes(bench.words(WORDS))


@cocotb.test()
async def none_enters_while_it_is_closed(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.passes(bench.words(3))
    dut.closed.value = 1
    words = bench.words(2)
    bench.source.send(words)
    for _ in range(3 * WAY):
        await bench.cycles.step()
        assert not int(dut.i__ready.value)
        assert not int(dut.o__valid.value)
    dut.closed.value = 0
    bench.sink.clear()
    await bench.cycles.until(lambda: len(bench.sink.words) == 2)
    assert bench.sink.words == words


@cocotb.test()
async def what_is_under_way_is_dropped(dut):
    """At any moment of a word's way; what comes later passes."""
    bench = Bench(dut)
    await bench.cycles.reset()
    for wait in range(WAY):
        bench.sink.open = False
        bench.source.send(bench.words(1))
        await bench.cycles.run(wait)
        dut.closed.value = dut.drops.value = 1
        bench.source.clear()
        for _ in range(WAY):
            bench.sink.clear()  # what was offered is offered no more
            await bench.cycles.step()
        assert not int(dut.o__valid.value)
        dut.closed.value = dut.drops.value = 0
        bench.sink.open = True
        await bench.passes(bench.words(4))


@cocotb.test()
async def resets_in_mid_way(dut):
    """What was under way is lost, or comes before all others."""
    bench = Bench(dut)
    await bench.cycles.reset()
    for wait in range(WAY):
        bench.source.send(words := bench.words(1))
        await bench.cycles.run(wait)
        bench.source.clear()
        bench.sink.clear()
        await bench.cycles.reset(1)
        later = bench.words(3)
        bench.source.send(later)
        await bench.cycles.until(lambda later=later: len(bench.sink.words) >= len(later))
        await bench.cycles.run(WAY)
        assert bench.sink.words in (later, words + later)


def test_handover(bench):
    bench(Handover(WIDTH, "sync", "sync"))
