# SPDX-License-Identifier: Apache-2.0
"""The gate against a memory: every request once and in order, and none while a step runs."""

from random import Random

import cocotb
import pytest

from antevolt.hdl.core.bundles import Access
from antevolt.hdl.core.gate import Gate, request
from antevolt.hdl.spec.memory_map import DATA_BITS
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source
from antevolt.sim.bench.timeline import packed, unpacked

PLACES = [(region, unit, index) for region in (0, 15) for unit in (0, 255) for index in (1, 65535)]
SETTLED = 2  # cycles beyond the latency in which a last write is done


class Bench:
    """A gate, a memory behind it, and a core that starts steps when the gate wants nothing.

    A read finds what is there when it leaves the gate; a write gets there `latency` cycles later:
    as if the reads' memory were the first tile and the writes' the last.
    """

    def __init__(self, dut, idle="none", pressure="none", steps=0.0):
        self.dut, self.latency, self.steps = dut, values()["latency"], steps
        self.cycles, self.draw = Cycles(dut), Random(idle + pressure)
        self.source = Source(self.cycles, "i", idle, seed=1)
        self.sink = Sink(self.cycles, "o", pressure, seed=2)
        self.cycles.drivers.append(self)
        self.memory = dict.fromkeys(PLACES, 0)
        self.after = dict(self.memory)  # all requests that are queued
        self.replies, self.writes, self.accesses, self.expected = {}, {}, [], []
        self.left, self.last, self.ran = 0, -1000, 0

    def drive(self):
        now = self.cycles.number
        if now in self.writes:
            place, word = self.writes.pop(now)
            self.memory[place] = word
        self.dut.reply.value = self.replies.pop(now, self.draw.getrandbits(DATA_BITS))
        self.idle = self.left == 0
        self.dut.idle.value = int(self.idle)

    def sample(self):
        access, now = unpacked(Access(), int(self.dut.access.value)), self.cycles.number
        if access["write"] or access["read"]:
            assert access["write"] != access["read"]
            assert self.idle
            if values()["near"]:  # each waits until the one before has settled
                assert now - self.last > self.latency
            self.last = now
            place = access["region"], access["unit"], access["index"]
            self.accesses.append((access["write"], *place))
            if access["write"]:
                self.writes[now + self.latency] = place, access["data"]
            else:
                self.replies[now + self.latency] = self.memory[place]
        if self.left:
            assert not int(self.source.ready.value)
            self.left -= 1
        elif not int(self.dut.wants.value) and self.draw.random() < self.steps:
            assert now + 1 - self.last > self.latency  # nothing is under way any more
            assert not int(self.dut.o__valid.value)
            self.left, self.ran = self.draw.choice([1, 2, 30]), self.ran + 1

    def send(self, count):
        """Queue random requests; answers are those of a memory that serves them in turn."""
        sent = []
        for _ in range(count):
            place, write = self.draw.choice(PLACES), self.draw.random() < 0.5
            word = self.draw.getrandbits(DATA_BITS)
            names = dict(zip(("region", "unit", "index"), place, strict=True))
            self.source.send([packed(request, write=write, data=word, **names)])
            sent.append((write, *place))
            if write:
                self.after[place] = word
            else:
                self.expected.append(self.after[place])
        return sent

    async def finish(self):
        await self.cycles.until(
            lambda: not self.source.words and len(self.sink.words) == len(self.expected)
        )
        self.steps = 0.0
        await self.cycles.run(self.latency + SETTLED)


@cocotb.test()
@cocotb.parametrize(idle=STALLS, pressure=STALLS)
async def equals_a_memory(dut, idle, pressure):
    bench = Bench(dut, idle, pressure, steps=0.3)
    await bench.cycles.reset()
    sent = []
    for _ in range(6):
        sent += bench.send(10)
        await bench.finish()
        bench.steps = 0.3
        await bench.cycles.run(bench.draw.randrange(20))
    assert bench.sink.words == bench.expected
    assert bench.accesses == sent
    assert bench.memory == bench.after
    assert bench.ran > 0


@cocotb.test()
async def requests_wait_for_the_step(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    for length in range(1, 20):
        bench.left = length
        bench.send(2)
        await bench.cycles.run(length)
        assert len(bench.source.words) == 2
        await bench.finish()
    assert bench.sink.words == bench.expected
    assert bench.memory == bench.after


@cocotb.test()
async def resets_at_any_time(dut):
    """Requests that are queued or at work are lost; the next are served."""
    bench = Bench(dut, "random", "random")
    await bench.cycles.reset()
    for _ in range(60):
        bench.send(3)
        await bench.cycles.run(bench.draw.randrange(40))
        await bench.cycles.reset(1)
        for part in (bench.source, bench.sink):
            part.clear()
        for part in (bench.replies, bench.writes, bench.expected):
            part.clear()
        bench.after, bench.last = dict(bench.memory), -1000
        await bench.cycles.step()
        assert not int(dut.o__valid.value) | int(dut.access.value) & 3 | int(dut.wants.value)
        bench.send(3)
        await bench.finish()
        assert bench.sink.words == bench.expected
        assert bench.memory == bench.after


@pytest.mark.parametrize(("latency", "near"), [(1, False), (9, False), (5, True)])
def test_gate(bench, latency, near):
    bench(Gate(latency, near), latency=latency, near=near)
