# SPDX-License-Identifier: Apache-2.0
"""The crossing, with one clock on both sides: every word once and in order; a restart forgets all.

Two different clocks: `tests/host/test_two_clocks.py`.
"""

from random import Random

import cocotb
from amaranth.hdl import ClockDomain, ClockSignal, Module, ResetInserter, ResetSignal
from amaranth.lib import wiring
from amaranth.lib.wiring import connect, flipped

from antevolt.hdl.io.crossing import CLOSED, SEEN, Crossing
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source, stalls

INWARD, OUTWARD, WORDS = ("x", "y", "access"), ("out", "answer"), 60
OPEN = CLOSED + 5  # cycles after a reset in which words pass again
STARTED = 3  # cycles in which an input is on its way to the core


class OneClock(wiring.Component):
    """A crossing whose domain `link` is `sync`, and whose own reset resets the core's side."""

    def __init__(self):
        self.crossing = Crossing(Machine())
        super().__init__(self.crossing.signature)

    def elaborate(self, platform):
        m = Module()
        m.domains.link = ClockDomain("link")
        m.d.comb += [ClockSignal("link").eq(ClockSignal()), ResetSignal("link").eq(ResetSignal())]
        m.submodules.crossing = ResetInserter(self.core_restart)(self.crossing)
        connect(m, flipped(self), self.crossing)
        return m


class Bench:
    def __init__(self, dut):
        self.dut, self.cycles, self.draw = dut, Cycles(dut), Random(1)
        named = {**{n: (n, f"core_{n}") for n in INWARD}, **{n: (f"core_{n}", n) for n in OUTWARD}}
        self.ways = {
            name: (Source(self.cycles, start), Sink(self.cycles, end))
            for name, (start, end) in named.items()
        }

    async def start(self):
        await self.cycles.reset()
        await self.cycles.run(OPEN)
        assert not int(self.dut.core_restart.value)

    def send(self):
        """Words on all ways; what is to come out."""
        sent = {}
        for name, (source, sink) in self.ways.items():
            sent[name] = [self.draw.getrandbits(len(source.payload)) for _ in range(WORDS)]
            sink.clear()
            source.send(sent[name])
        return sent

    async def arrives(self, sent):
        await self.cycles.until(
            lambda: all(len(sink.words) >= WORDS for _, sink in self.ways.values())
        )
        assert {name: sink.words for name, (_, sink) in self.ways.items()} == sent


@cocotb.test()
async def words_pass(dut):
    bench = Bench(dut)
    await bench.start()
    for before in STALLS:
        for after in STALLS:
            for source, sink in bench.ways.values():
                source.stalls, sink.stalls = stalls(before, 1), stalls(after, 2)
            await bench.arrives(bench.send())


@cocotb.test()
async def a_restart_forgets(dut):
    bench = Bench(dut)
    await bench.start()
    for wait in (0, 3, 40):
        for _, sink in bench.ways.values():
            sink.open = False
        bench.send()
        await bench.cycles.run(wait)
        dut.restart.value = 1
        await bench.cycles.step()
        dut.restart.value = 0
        for source, _ in bench.ways.values():
            source.clear()
        for cycle in range(CLOSED + 10):
            for _, sink in bench.ways.values():
                sink.clear()  # what was offered is offered no more
            await bench.cycles.step()
            assert int(dut.busy.value) or cycle >= CLOSED - 1  # the first has passed
            assert int(dut.core_restart.value) or not 5 < cycle < 25
        assert not int(dut.core_restart.value)
        for _, sink in bench.ways.values():
            sink.open = True
        await bench.arrives(bench.send())


@cocotb.test()
async def a_step_is_seen_from_its_first_input_on(dut):
    """`busy` has no gap between an input's way and the step that it starts."""
    bench = Bench(dut)
    await bench.start()
    await bench.cycles.run(SEEN)
    assert not int(dut.busy.value)
    bench.ways["x"][0].send([1])
    await bench.cycles.run(STARTED)
    for cycle in range(60):
        dut.core_busy.value = cycle > 2
        await bench.cycles.step()
        assert int(dut.busy.value), cycle
    dut.core_busy.value = 0
    await bench.cycles.run(SEEN)
    assert not int(dut.busy.value)


def test_crossing(bench):
    bench(OneClock())
