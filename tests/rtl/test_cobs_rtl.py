# SPDX-License-Identifier: Apache-2.0
"""The COBS decoder and encoder against the library that the host uses."""

from random import Random

import cocotb
from cobs import cobs

from antevolt.hdl.io.cobs import CobsDecoder, CobsEncoder
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source

END = 1 << 8
SILENCE = 50  # cycles in which nothing may follow the last byte


def frames(draw, count):
    """Frames of all lengths, with few, many and only zeros."""
    for n in range(count):
        length = draw.choice([1, 2, 7, 200, 253, 254]) if n % 2 else draw.randrange(1, 255)
        zeros = draw.choice([0.0, 0.01, 0.5, 1.0])
        yield bytes(0 if draw.random() < zeros else draw.randrange(1, 256) for _ in range(length))


@cocotb.test()
@cocotb.parametrize(idle=STALLS, pressure=STALLS)
async def encodes(dut, idle, pressure):
    cycles, draw = Cycles(dut), Random(idle + pressure)
    source, sink = Source(cycles, "i", idle, 1), Sink(cycles, "o", pressure, 2)
    await cycles.reset()
    expected = b"\0"  # of the reset
    for frame in frames(draw, 12):
        source.send([*frame, END])
        expected += cobs.encode(frame) + b"\0"
    await cycles.until(lambda: len(sink.words) >= len(expected))
    await cycles.run(SILENCE)
    assert bytes(sink.words) == expected
    assert int(dut.idle.value)


@cocotb.test()
async def starts_anew_after_a_reset(dut):
    cycles = Cycles(dut)
    source, sink = Source(cycles, "i"), Sink(cycles, "o", "random", 3)
    await cycles.reset()
    for length in range(1, 60, 7):
        source.send([5] * length)
        await cycles.run(length)
        await cycles.reset(1)
        source.clear()
        sink.clear()
        source.send([1, 0, 2, END])
        await cycles.until(lambda: len(sink.words) == 6)
        assert bytes(sink.words) == b"\0" + cobs.encode(b"\1\0\2") + b"\0"


class Decoder:
    """Feeds bytes, notes frames."""

    def __init__(self, dut):
        self.dut, self.cycles = dut, Cycles(dut)
        self.frame, self.ends = bytearray(), []
        self.cycles.drivers.append(self)

    def drive(self):
        pass

    def sample(self):
        if int(self.dut.o_strobe.value):
            self.frame.append(int(self.dut.o.value))
        if int(self.dut.end.value):
            self.ends.append((bytes(self.frame), int(self.dut.good.value)))
            self.frame.clear()

    async def feed(self, data, broken=()):
        for place, byte in enumerate(data):
            self.dut.i.value = byte
            self.dut.strobe.value = int(place not in broken)
            self.dut.broken.value = int(place in broken)
            await self.cycles.step()
        self.dut.strobe.value = self.dut.broken.value = 0
        await self.cycles.step()


@cocotb.test()
async def decodes(dut):
    bench, draw = Decoder(dut), Random(4)
    await bench.cycles.reset()
    sent = list(frames(draw, 40))
    for frame in sent:
        await bench.feed(cobs.encode(frame) + b"\0" * draw.choice([1, 1, 3]))
    assert bench.ends == [(frame, 1) for frame in sent]


@cocotb.test()
async def judges_as_the_library_does(dut):
    """Random bytes: good where the library decodes them, and the same frame."""
    bench, draw = Decoder(dut), Random(5)
    await bench.cycles.reset()
    good = 0
    for _ in range(1500):
        data = bytes(draw.randrange(1, 6) for _ in range(draw.randrange(1, 14)))
        bench.ends.clear()
        bench.frame.clear()
        await bench.feed(data + b"\0")
        ((frame, is_good),) = bench.ends
        try:
            assert (is_good, frame) == (1, cobs.decode(data))
            good += 1
        except cobs.DecodeError:
            assert not is_good
    assert 100 < good < 1400


@cocotb.test()
async def a_broken_byte_spoils_its_frame(dut):
    bench = Decoder(dut)
    await bench.cycles.reset()
    data = cobs.encode(b"abc") + b"\0"
    await bench.feed(data + data, broken={1})
    await bench.feed(data)
    assert [good for _, good in bench.ends] == [0, 1, 1]
    assert bench.ends[1][0] == b"abc"


def test_encoder(bench):
    bench(CobsEncoder(), only="encodes|starts")


def test_decoder(bench):
    bench(CobsDecoder(), only="decodes|judges|broken")
