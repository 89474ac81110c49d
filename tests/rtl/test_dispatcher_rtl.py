# SPDX-License-Identifier: Apache-2.0
"""The dispatcher: frames to the core's ports, word for word and in order."""

from random import Random

import cocotb
import pytest

from antevolt.boards.presets import SMALLEST
from antevolt.hdl.io.dispatcher import Dispatcher
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.link import LINK_REGION, Kind, LinkRegister, memory_limits
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source

SERVED = 400  # cycles in which all that was taken in is answered
REFUSED = 500, 200  # cycles in which nothing may be served
SERVES = 300  # cycles in which a frame that waited is served
MOST = 12  # words of a frame
SHORT = 2  # cycles of rest, too few to serve anything


def packed(words, width):
    total = sum(word << k * width for k, word in enumerate(words))
    return total.to_bytes(-(-len(words) * width // 8), "little")


class Bench:
    """Ports of a core, which answers a read with the complement of its place."""

    def __init__(self, dut, stall="none"):
        self.dut, self.cycles, self.word = dut, Cycles(dut), values()["word"]
        self.i = Source(self.cycles, "i", stall, 1)
        self.x, self.y, self.o, self.echo, self.access = (
            Sink(self.cycles, name, stall, k)
            for k, name in enumerate(("x", "y", "o", "echo", "access"))
        )
        self.answer = Source(self.cycles, "answer", stall, 9)
        self.asked = 0
        self.cycles.drivers.append(self)
        dut.resting.value = 1

    def drive(self):
        for request in self.access.words[self.asked :]:
            self.asked += 1
            if not request & 1:
                self.answer.send([~(request >> 1) & (1 << 28) - 1])
        self.dut.counted.value = 1000 + int(self.dut.counter.value)

    def sample(self):
        pass

    def send(self, kind, payload):
        self.i.send([len(payload), kind, *payload])

    async def finish(self):
        await self.cycles.until(lambda: not self.i.words, limit=500_000)
        await self.cycles.run(SERVED)


def request(write, region, unit, index, data=0):
    return write | region << 1 | unit << 5 | index << 13 | data << 29


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def words_to_the_ports(dut, stall):
    bench, draw = Bench(dut, stall), Random(stall)
    await bench.cycles.reset()
    word, x, y, echo, accesses, answers = bench.word, [], [], [], [], []
    limits = {
        region: limit
        for region, limit in memory_limits(Machine.from_json(values()["machine"])).items()
        if limit.words > MOST
    }
    for _ in range(12):
        kind = draw.choice([Kind.X, Kind.X_FLAGS, Kind.Y, Kind.WRITE, Kind.READ, Kind.ECHO])
        count, flags = draw.randint(1, MOST), draw.randrange(64)
        width = {Kind.X_FLAGS: word + 6, Kind.WRITE: DATA_BITS, Kind.ECHO: 8}.get(kind, word)
        words = [draw.getrandbits(width) for _ in range(count)]
        region = draw.choice(sorted(set(limits) - {LINK_REGION}))
        units, depth = limits[region]
        place = region, draw.randrange(units), draw.randrange(depth - count + 1)
        head = bytes(place[:2]) + place[2].to_bytes(2, "little")
        if kind == Kind.X:
            bench.send(kind, bytes((flags,)) + packed(words, width))
            x += [value | flags << word for value in words]
        elif kind == Kind.READ:
            bench.send(kind, head + count.to_bytes(2, "little"))
            for k in range(count):
                asked = request(0, place[0], place[1], place[2] + k)
                accesses.append(asked)
                answers.append(~(asked >> 1) & (1 << 28) - 1)
        elif kind == Kind.WRITE:
            bench.send(kind, head + packed(words, width))
            for k, value in enumerate(words):
                accesses.append(request(1, place[0], place[1], place[2] + k, value))
        else:
            bench.send(kind, packed(words, width))
            {Kind.X_FLAGS: x, Kind.Y: y, Kind.ECHO: echo}[kind].extend(words)
    await bench.finish()
    assert (bench.x.words, bench.y.words, bench.echo.words) == (x, y, echo)
    low = (1 << 29) - 1  # data of a read have no meaning
    assert [a if a & 1 else a & low for a in bench.access.words] == accesses
    assert bench.o.words == answers


@cocotb.test()
async def accesses_wait_for_the_steps(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    dut.resting.value = 0
    bench.send(Kind.X, bytes((1,)) + packed([5], bench.word))
    bench.send(Kind.READ, bytes((3, 0, 0, 0, 1, 0)))
    bench.send(Kind.ECHO, b"x")
    await bench.cycles.run(REFUSED[0])
    assert len(bench.x.words) == 1
    assert not bench.access.words + bench.echo.words
    dut.resting.value = 1
    await bench.cycles.run(SHORT)
    dut.resting.value = 0  # a step has begun after all
    await bench.cycles.run(REFUSED[1])
    assert not bench.access.words
    dut.resting.value = 1
    await bench.cycles.run(SERVES)
    assert len(bench.access.words) == len(bench.echo.words) == 1


@cocotb.test()
async def registers_of_the_link(dut):
    """Counters are read, the fingerprint stays until the program is written."""
    bench = Bench(dut)
    await bench.cycles.reset()
    bench.send(Kind.READ, bytes((LINK_REGION, 0, 2, 0, 3, 0)))
    await bench.finish()
    assert bench.o.words == [1002, 1003, 1004]
    place = LinkRegister.FINGERPRINT.to_bytes(2, "little")
    bench.send(Kind.WRITE, bytes((LINK_REGION, 0)) + place + packed([0xABCD1234], 36))
    await bench.finish()
    assert not bench.access.words
    assert int(dut.fingerprint.value) == 0xABCD1234
    await bench.cycles.reset(1)
    assert int(dut.fingerprint.value) == 0xABCD1234
    bench.send(Kind.WRITE, bytes((Region.WEIGHTS, 0, 0, 0)) + packed([1], 36))
    await bench.finish()
    assert int(dut.fingerprint.value) == 0xABCD1234
    bench.send(Kind.READ, bytes((LINK_REGION, 0)) + place + b"\1\0")
    bench.send(Kind.WRITE, bytes((Region.PHI, 0, 0, 0)) + packed([1], 36))
    await bench.finish()
    assert bench.o.words[-1] == 0xABCD1234
    assert int(dut.fingerprint.value) == 0


@pytest.mark.parametrize(
    "machine",
    [Machine(rows=3, streams=200, moments=1), SMALLEST, Machine(formats=Formats(16))],
    ids=["wide", "smallest", "16 bits"],
)
def test_dispatcher(bench, machine):
    bench(Dispatcher(machine), word=machine.formats.word, machine=machine.to_json())
