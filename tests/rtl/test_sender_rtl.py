# SPDX-License-Identifier: Apache-2.0
"""The sender: replies first, frames until they are acknowledged, all again when that is asked."""

import zlib
from random import Random

import cocotb

from antevolt.hdl.io.sender import Sender
from antevolt.hdl.spec.link import ENTRY_BYTES, Kind
from antevolt.sim.bench.streams import Cycles, Sink

TEXT = b"\1description"
END = 1 << 8
MUTE = 300  # cycles in which nothing may be sent
REPLIES = 1500  # cycles of all replies on the line
BEGUN, ENDED = 40, 5  # cycles to the first byte of what is to be sent, and after the last


class Bench:
    """A ring that holds frames, and replies to offer."""

    def __init__(self, dut, pressure="none", session=0xFFFE):
        self.dut, self.cycles, self.session = dut, Cycles(dut), session
        self.sink = Sink(self.cycles, "o", pressure, 1)
        self.memory, self.frames, self.replies = bytearray(), [], []
        self.address = self.old = self.wrong = 0
        self.cycles.drivers.append(self)
        dut.session.value = session

    def drive(self):
        self.dut.data.value = (self.memory + b"\0" * 300)[self.old]
        self.dut.end.value = len(self.memory)
        reply = self.replies[0] if self.replies else None
        self.dut.valid.value = int(reply is not None)
        if reply is not None:
            for name, value in zip(
                ("kind", "sequence", "fields", "size", "text"), reply, strict=True
            ):
                getattr(self.dut, name).value = value

    def sample(self):
        self.old, self.address = self.address, int(self.dut.address.value)
        self.wrong += int(self.dut.wrong.value)
        if int(self.dut.taken.value):
            self.replies.pop(0)

    async def begin(self):
        await self.cycles.reset()
        await self.cycles.step()  # before a ring can have made a frame

    async def pulse(self, **inputs):
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        await self.cycles.step()
        for name in inputs:
            getattr(self.dut, name).value = 0

    async def make(self, payload, kind=Kind.OUT):
        self.memory += bytes((len(payload), kind)) + payload
        self.frames.append((kind, payload))
        await self.pulse(made=1)

    def sent(self):
        """(kind, sequence, payload) of the frames on the line, all with a good CRC."""
        found, frame = [], bytearray()
        for word in self.sink.words:
            if word & END:
                assert zlib.crc32(frame[:-4]) == int.from_bytes(frame[-4:], "little")
                found.append((frame[0], frame[1] | frame[2] << 8, bytes(frame[3:-4])))
                frame = bytearray()
            else:
                frame.append(word)
        return found

    def expected(self, start, end):
        return [
            (kind, (self.session + k) & 0xFFFF, payload)
            for k, (kind, payload) in enumerate(self.frames)
        ][start:end]

    async def settle(self):
        await self.cycles.run(BEGUN)
        await self.cycles.until(lambda: int(self.dut.idle.value))
        await self.cycles.run(ENDED)

    async def acknowledge(self, count, resend=0, some=0):
        up_to = (self.session + count) & 0xFFFF
        await self.pulse(acknowledged=1, up_to=up_to, resend=resend, count=some)
        await self.settle()

    @property
    def base(self):
        return int(self.dut.base.value)

    def place(self, count):
        return sum(ENTRY_BYTES + len(payload) for _, payload in self.frames[:count])


@cocotb.test()
@cocotb.parametrize(pressure=["none", "random"])
async def sends_and_sends_again(dut, pressure):
    bench, draw = Bench(dut, pressure), Random(pressure)
    await bench.begin()
    for length in (1, 0, 17, 40, 3):
        await bench.make(draw.randbytes(length))
    await bench.settle()
    expected = bench.expected(0, 5)
    assert bench.sent() == expected
    await bench.acknowledge(2)
    assert bench.base == bench.place(2)
    assert bench.sent() == expected
    await bench.acknowledge(3, resend=1)
    expected = expected + bench.expected(3, 5)
    assert bench.sent() == expected
    assert bench.base == bench.place(3)
    assert int(dut.upcoming.value) == (bench.session + 5) & 0xFFFF
    await bench.make(b"more")
    await bench.settle()
    assert bench.sent() == expected + bench.expected(5, 6)
    await bench.acknowledge(6)
    assert bench.base == len(bench.memory)
    assert bench.wrong == 0


@cocotb.test()
async def impossible_acknowledgements_change_nothing(dut):
    bench = Bench(dut)
    await bench.begin()
    for text in (b"one", b"two"):
        await bench.make(text)
    await bench.settle()
    await bench.acknowledge(1)
    for count in (0, 3, -5, 0x8000):
        await bench.acknowledge(count, resend=1)
    assert bench.wrong == 4
    assert bench.base == bench.place(1)
    assert bench.sent() == bench.expected(0, 2)
    await bench.acknowledge(1, resend=1)
    assert bench.sent() == bench.expected(0, 2) + bench.expected(1, 2)


@cocotb.test()
async def acknowledged_while_it_waits_to_be_sent_again(dut):
    """What was to be sent again is not, when it arrives meanwhile."""
    bench = Bench(dut)
    await bench.begin()
    for text in (b"one", b"two", b"three"):
        await bench.make(text)
    await bench.settle()
    dut.hold.value = 1
    await bench.acknowledge(0, resend=1)
    await bench.acknowledge(2)
    dut.hold.value = 0
    await bench.settle()
    assert bench.sent() == bench.expected(0, 3) + bench.expected(2, 3)


@cocotb.test()
@cocotb.parametrize(pressure=["none", "random"])
async def sends_some_again(dut, pressure):
    """And goes on where it was: with new ones, none of them twice, or with none."""
    bench, draw = Bench(dut, pressure), Random(pressure)
    await bench.begin()
    for length in (3, 0, 17, 20, 1):
        await bench.make(draw.randbytes(length))
    await bench.settle()
    expected = bench.expected(0, 5)
    for count, some in ((0, 1), (1, 2), (1, 4), (1, 9), (3, 1), (5, 7)):
        await bench.acknowledge(count, resend=1, some=some)
        expected += bench.expected(count, min(5, count + some))
        assert bench.sent() == expected, (count, some)
        assert bench.base == bench.place(count)
    await bench.make(b"more")
    await bench.settle()
    assert bench.sent() == expected + bench.expected(5, 6)


@cocotb.test()
@cocotb.parametrize(pressure=["none", "random"], part=[0, 1, 2, 3])
async def some_are_wanted_again_at_any_time(dut, pressure, part):
    """While frames are made, sent, acknowledged and sent again: each goes out, in order but for
    what was asked for, and what is freed is never read."""
    bench, draw = Bench(dut, pressure, 0xFFF0), Random(f"{pressure} {part}")
    await bench.begin()
    come, asked = 0, 0  # frames that the host has in order; times that it asked
    while come < 60:
        if len(bench.frames) < 60 and draw.random() < 0.3:
            await bench.make(draw.randbytes(draw.randrange(12)))
        await bench.cycles.run(draw.choice([0, 1, 2, 30, 200]))
        numbers = {(number - bench.session) & 0xFFFF for _, number, _ in bench.sent()}
        come = draw.randint(come, next(k for k in range(61) if k not in numbers))
        what = draw.random()
        up_to = (bench.session + come) & 0xFFFF
        resend, some = int(what < 0.4), draw.randint(0, 5) if draw.random() < 0.3 else 1
        if what < 0.8:
            await bench.pulse(acknowledged=1, up_to=up_to, resend=resend, count=some)
            await bench.cycles.run(1)
            asked += resend
    await bench.acknowledge(60)
    assert bench.wrong == 0
    assert asked > 10
    assert bench.base == len(bench.memory)
    expected = bench.expected(0, 60)
    sent = [expected.index(frame) for frame in bench.sent()]
    assert sorted(set(sent)) == list(range(60))
    firsts = [k for n, k in enumerate(sent) if k not in sent[:n]]
    assert firsts == list(range(60))


@cocotb.test()
async def replies_come_first(dut):
    bench = Bench(dut)
    await bench.begin()
    dut.mute.value = 1
    await bench.make(b"data")
    bench.replies = [
        (Kind.HELLO, 7, 0x665544332211, 6, 1),
        (Kind.ACK, 9, 0x44332211, 4, 0),
        (Kind.RESET, 3, 0, 0, 0),
    ]
    await bench.cycles.run(MUTE)
    assert bench.sent() == []
    dut.mute.value = 0
    dut.hold.value = 1
    await bench.cycles.run(REPLIES)
    replies = [
        (Kind.HELLO, 7, TEXT + bytes.fromhex("112233445566")),
        (Kind.ACK, 9, bytes.fromhex("11223344")),
        (Kind.RESET, 3, b""),
    ]
    assert bench.sent() == replies
    dut.hold.value = 0
    await bench.settle()
    assert bench.sent() == replies + bench.expected(0, 1)


def test_sender(bench):
    bench(Sender(TEXT))


def test_sender_that_goes_back(bench):
    """Whatever number it is told."""
    bench(Sender(TEXT, selective=False), only="sends_and|impossible|waits|replies")
