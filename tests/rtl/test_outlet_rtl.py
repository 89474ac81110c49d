# SPDX-License-Identifier: Apache-2.0
"""The outlet against plain loops: every word once and in order, whatever its reader does."""

from random import Random

import cocotb
import pytest

from antevolt.hdl.core.bundles import Access
from antevolt.hdl.core.outlet import Outlet
from antevolt.hdl.spec.flags import FLAG_BITS, Flag
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.outputs import OutputMode
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Sink
from antevolt.sim.bench.timeline import unpacked

CASES = {
    "1x1": (Machine(formats=Formats(word=16)), 7),
    "2x2 contexts": (Machine(streams=2, contexts=2), 1),
    "3x3 contexts": (Machine(streams=3, contexts=3), 4),
    "3 streams": (Machine(streams=3), 12),
}
PLACES = 64
OPERANDS = {"n": 12, "address": 14, "context": 2, "prior": 1}
LIMIT = 5000  # cycles in which any operation ends
SILENCE = 20  # cycles in which nothing may follow the last word
CLOSED = 100  # cycles without a reader


class Bench:
    """An outlet, a memory that answers it, and its reader; operands hold at a start and a cycle
    before."""

    def __init__(self, dut, stall):
        self.dut, self.machine = dut, Machine.from_json(values()["machine"])
        self.word, self.latency = self.machine.formats.word, values()["latency"]
        self.cycles, self.draw = Cycles(dut), Random(stall)
        dut.mode.value, dut.due.value = OutputMode.EVERY, 1  # others: `tests/host/test_outputs.py`
        self.sink = Sink(self.cycles, "o", stall, seed=3)
        self.cycles.drivers.append(self)
        self.memory = [self.numbers(self.word, PLACES) for _ in range(self.machine.streams)]
        self.flags = self.numbers(FLAG_BITS, self.machine.total_streams)
        self.answers, self.waiting, self.done, self.expected = {}, 0, False, []
        self.comes, self.starts, self.works = {}, {}, False

    def numbers(self, bits, count):
        return [self.draw.getrandbits(bits) for _ in range(count)]

    def drive(self):
        answer = self.answers.pop(self.cycles.number, self.draw.getrandbits(self.word))
        self.dut.reply.value = answer
        # the index is a register, so that its flags can be there in the same cycle
        self.dut.flags.value = self.flags[int(self.dut.flags_index.value) % len(self.flags)]
        self.dut.start.value = int(bool(self.starts))
        operands = self.starts or self.comes
        for name, bits in OPERANDS.items():
            getattr(self.dut, name).value = operands.get(name, self.draw.getrandbits(bits))

    def sample(self):
        access = unpacked(Access(), int(self.dut.access.value))
        assert not access["write"]
        if access["read"]:
            assert access["region"] == Region.OUTPUT
            word = self.memory[access["unit"]][access["index"]]
            self.answers[self.cycles.number + self.latency] = word
        self.waiting += int(self.dut.waiting.value)
        assert int(self.dut.taking.value) == self.works
        self.done = bool(int(self.dut.done.value))
        self.works = bool(self.starts) or self.works and not self.done
        self.comes, self.starts = {}, self.comes

    async def start(self):
        """Issue an operation; the words that it takes."""
        draw, streams = self.draw, self.machine.streams
        n, address = draw.randrange(1, 20), draw.randrange(PLACES - 20)
        context, prior = draw.randrange(self.machine.contexts), draw.randrange(2)
        self.comes = {"n": n, "address": address, "context": context, "prior": prior}
        await self.cycles.step()
        for k in range(streams):
            own = self.flags[context * streams + k]
            silent = prior and own & Flag.VALID and own & Flag.FIRST
            for word in self.memory[k][address : address + n]:
                self.expected.append((0 if silent else word) | own << self.word)
        self.waiting = 0
        await self.cycles.step()
        return n * streams

    async def operation(self):
        cost = await self.start()
        took = await self.cycles.until(lambda: self.done, LIMIT)
        assert took == cost + self.waiting
        return self.waiting


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def equals_the_loops(dut, stall):
    bench, waited = Bench(dut, stall), 0
    await bench.cycles.reset()
    for _ in range(40):
        waited += await bench.operation()
        await bench.cycles.run(bench.draw.choice([1, 1, 1, 30]))
        if bench.draw.random() < 0.2:  # the flags of the next step come when all words are read
            await bench.cycles.run(bench.latency)
            bench.flags = bench.numbers(FLAG_BITS, len(bench.flags))
    await bench.cycles.until(lambda: len(bench.sink.words) == len(bench.expected), LIMIT)
    await bench.cycles.run(SILENCE)
    assert bench.sink.words == bench.expected
    assert (waited > 0) == (stall in ("bursty", "random", "one_in_four"))


@cocotb.test()
async def a_reader_that_does_not_come(dut):
    """The outlet reads what it can keep, and waits."""
    bench = Bench(dut, "none")
    await bench.cycles.reset()
    for _ in range(20):
        bench.sink.open = False
        cost = await bench.start()
        await bench.cycles.run(CLOSED)
        kept = values()["way"] + 6
        assert bench.done is False
        assert bench.waiting == (CLOSED - kept if cost > kept else 0)
        bench.sink.open = True
        await bench.cycles.until(lambda: len(bench.sink.words) == len(bench.expected), LIMIT)
        await bench.cycles.run(SILENCE)
        assert bench.sink.words == bench.expected


@cocotb.test()
async def resets_in_mid_operation(dut):
    bench = Bench(dut, "random")
    await bench.cycles.reset()
    for _ in range(40):
        await bench.start()
        await bench.cycles.run(bench.draw.randrange(30))
        await bench.cycles.reset(1)
        bench.sink.clear()
        bench.expected.clear()
        bench.answers.clear()
        bench.works = False
        for _ in range(bench.latency):
            await bench.cycles.step()
            assert not int(dut.o__valid.value) | int(dut.waiting.value)
        await bench.operation()
        await bench.cycles.until(lambda: len(bench.sink.words) == len(bench.expected), LIMIT)
        assert bench.sink.words == bench.expected


@pytest.mark.parametrize("name", CASES)
def test_outlet(bench, name):
    machine, latency = CASES[name]
    outlet = Outlet(machine, latency)
    bench(outlet, machine=machine.to_json(), latency=latency, way=outlet.way)
