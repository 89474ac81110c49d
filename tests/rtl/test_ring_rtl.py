# SPDX-License-Identifier: Apache-2.0
"""The ring and its reader against a queue of frames."""

from random import Random

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.reader import Reader
from antevolt.hdl.io.ring import Ring
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Sink

INPUTS = {"byte": 8, "push": 1, "kind": 8, "length": 8, "commit": 1, "drop": 1}
SILENCE = 10  # cycles in which nothing may follow the last word


class Pair(wiring.Component):
    """A ring, and a reader that empties it."""

    def __init__(self, depth):
        self.depth = depth
        ports = {name: In(width) for name, width in INPUTS.items()}
        outs = {"full": Out(1), "room": Out(1), "end": Out(16), "at": Out(16)}
        super().__init__({**ports, **outs, "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = Ring(self.depth)
        m.submodules.reader = reader = Reader()
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        m.d.comb += [getattr(ring, name).eq(getattr(self, name)) for name in INPUTS]
        m.d.comb += [
            getattr(self, name).eq(getattr(ring, name)) for name in ("full", "room", "end")
        ]
        m.d.comb += [ring.base.eq(reader.address), ring.address.eq(reader.address)]
        m.d.comb += [reader.end.eq(ring.end), reader.data.eq(ring.data), self.at.eq(reader.address)]
        return m


class Bench:
    def __init__(self, dut, pressure):
        self.dut, self.cycles = dut, Cycles(dut)
        self.sink = Sink(self.cycles, "o", pressure, 1)
        self.depth = values()["depth"]

    async def pulse(self, after=3, **inputs):
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        await self.cycles.step()
        for name in inputs:
            getattr(self.dut, name).value = 0
        await self.cycles.run(after)

    async def push(self, data):
        """Whether all of it found a place."""
        for byte in data:
            await self.pulse(push=1, byte=byte)
        return not int(self.dut.full.value)

    @property
    def used(self):
        return (int(self.dut.end.value) - int(self.dut.at.value)) & 0xFFFF


@cocotb.test()
@cocotb.parametrize(pressure=STALLS)
async def equals_a_queue(dut, pressure):
    """Frames kept, cut and forgotten; what is kept comes out once and in order."""
    bench, draw = Bench(dut, pressure), Random(pressure)
    await bench.cycles.reset()
    expected, forgotten, refused = [], 0, 0
    for _ in range(150):
        data = draw.randbytes(draw.choice([0, 1, 5, 30]))
        fits = bench.used + 2 + len(data) <= bench.depth
        if not await bench.push(data):
            assert not fits
            refused += 1
            await bench.pulse(drop=1)
        elif draw.random() < 0.3:
            forgotten += 1
            await bench.pulse(drop=1)
        else:
            keep = max(0, len(data) - draw.choice([0, 4]))
            kind = draw.randrange(256)
            await bench.pulse(commit=1, length=keep, kind=kind, after=5)
            expected += [keep, kind, *data[:keep]]
        await bench.cycles.run(draw.choice([0, 20, 200]))
    await bench.cycles.until(lambda: bench.used == 0)
    await bench.cycles.run(SILENCE)
    assert bench.sink.words == expected
    assert forgotten > 10


@cocotb.test()
async def says_when_it_is_full(dut):
    """Exactly when; and forgets it with the frame."""
    bench = Bench(dut, "none")
    await bench.cycles.reset()
    bench.sink.open = False
    assert await bench.push(bytes(bench.depth - 2))
    assert not int(dut.room.value)
    assert not await bench.push(b"x")
    await bench.pulse(drop=1, after=4)
    assert int(dut.room.value)
    assert await bench.push(b"abc")
    await bench.pulse(commit=1, length=3, kind=9, after=5)
    room = bench.depth - 5 - 2
    assert await bench.push(bytes(room))
    assert not await bench.push(b"x")
    await bench.pulse(drop=1)
    bench.sink.open = True
    await bench.cycles.until(lambda: bench.used == 0)
    assert bench.sink.words == [3, 9, *b"abc"]


@pytest.mark.parametrize("depth", [64])
def test_ring(bench, depth):
    bench(Pair(depth), depth=depth)
