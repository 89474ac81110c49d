# SPDX-License-Identifier: Apache-2.0
"""The parser: good frames in order, and whatever a line can do to them."""

import zlib
from random import Random

import cocotb
import pytest
from cobs import cobs

from antevolt.hdl.io.parser import Parser
from antevolt.hdl.spec.link import (
    PAYLOAD_BYTES,
    VERSION,
    Code,
    Kind,
    LinkParameters,
    LinkRegister,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.bench.streams import Cycles

GAP = 39  # cycles between bytes of a line with 4 clocks per bit


def frame(kind, sequence, payload=b""):
    body = bytes((kind,)) + (sequence & 0xFFFF).to_bytes(2, "little") + payload
    return cobs.encode(body + zlib.crc32(body).to_bytes(4, "little")) + b"\0"


class Bench:
    """Feeds bytes; notes verdicts, and the payloads that were committed."""

    def __init__(self, dut):
        self.dut, self.cycles = dut, Cycles(dut)
        self.pushed, self.kept, self.verdicts, self.events = bytearray(), [], [], []
        self.cycles.drivers.append(self)

    def drive(self):
        pass

    def sample(self):
        dut = self.dut
        if int(dut.push.value):
            self.pushed.append(int(dut.payload.value))
        commit, drop = int(dut.commit.value), int(dut.drop.value)
        if commit:
            length = int(dut.length.value)
            self.kept.append((int(dut.kind.value), bytes(self.pushed[:length])))
        early = int(dut.early.value)
        assert not early or int(dut.code.value) == Code.MISSING and commit
        for name in ("early", "good", "bad", "again"):
            if int(getattr(dut, name).value) and not (name == "good" and early):
                what = int(dut.code.value) if name == "bad" else int(dut.sequence.value)
                self.verdicts.append((name, what))
        if int(dut.count.value):
            self.events.append(int(dut.event.value))
        if commit or drop:
            self.pushed.clear()

    async def feed(self, data, broken=(), gap=GAP):
        for place, byte in enumerate(data):
            self.dut.byte.value = byte
            self.dut.strobe.value = int(place not in broken)
            self.dut.broken.value = int(place in broken)
            await self.cycles.step()
            self.dut.strobe.value = self.dut.broken.value = 0
            await self.cycles.run(gap)

    async def verdict(self, data, **options):
        """The only one that these bytes bring."""
        self.verdicts.clear()
        await self.feed(data, **options)
        (found,) = self.verdicts
        return found

    async def restart(self, sequence):
        self.dut.restart.value = 0
        assert await self.verdict(frame(Kind.RESET, sequence)) == ("good", sequence)
        self.dut.restart.value = 1
        await self.cycles.step()
        self.dut.restart.value = 0
        assert int(self.dut.expected.value) == sequence


@cocotb.test()
async def keeps_good_frames(dut):
    """Of all lengths, in order, over the wrap of the sequence number."""
    bench, draw, sent = Bench(dut), Random(1), []
    await bench.cycles.reset()
    await bench.restart(0xFFFE)
    for number, length in enumerate([1, 2, 3, 100, PAYLOAD_BYTES, PAYLOAD_BYTES - 1, 7]):
        data = draw.randbytes(length)
        sequence = 0xFFFE + number & 0xFFFF
        assert await bench.verdict(frame(Kind.ECHO, sequence, data)) == ("good", sequence)
        sent.append((Kind.ECHO, data))
    assert bench.kept == sent
    assert bench.events == [LinkRegister.ACCEPTED] * len(sent)


@cocotb.test()
async def drops_what_is_damaged(dut):
    """Every byte of a frame flipped, lost, doubled or broken: never good, and the next one is."""
    bench, draw = Bench(dut), Random(2)
    await bench.cycles.reset()
    await bench.restart(5)
    whole = frame(Kind.ECHO, 5, b"ab\0c")
    for place in range(len(whole) - 1):
        spoilt = [
            (
                whole[:place]
                + bytes((whole[place] ^ 1 << draw.randrange(8),))
                + whole[place + 1 :],
                (),
            ),
            (whole[:place] + whole[place + 1 :], ()),
            (whole[:place] + whole[place : place + 1] + whole[place:], ()),
            (whole, {place}),
        ]
        for data, broken in spoilt:
            if data == whole and not broken:
                continue
            bench.verdicts.clear()
            await bench.feed(data, broken=broken)
            assert bench.verdicts, data
            assert {name for name, _ in bench.verdicts} == {"bad"}, data
    assert bench.kept == []
    assert await bench.verdict(whole) == ("good", 5)
    assert bench.kept == [(Kind.ECHO, b"ab\0c")]


@cocotb.test()
async def says_why(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.restart(9)
    for data, code in (
        (frame(Kind.ECHO, 9, bytes(PAYLOAD_BYTES + 1)), Code.OVERSIZE),
        (b"\1" * 2000 + b"\0", Code.OVERSIZE),
        (b"\3ab\0", Code.SHORT),
        (cobs.encode(b"abcdef") + b"\0", Code.SHORT),
        (cobs.encode(b"abcdefgh") + b"\0", Code.CRC),
        (frame(0x55, 9), Code.KIND),
        (frame(Kind.Y, 9, b"1"), Code.LENGTH),
        (frame(Kind.READ, 9, bytes((14, 0, 0, 0, 1, 0))), Code.RANGE),
        (frame(Kind.HELLO, 9, b"\x77"), Code.VERSION),
        (frame(Kind.ECHO, 10, b"x"), Code.SEQUENCE),
        (frame(Kind.ECHO, 9 + 0x7FFF, b"x"), Code.SEQUENCE),
    ):
        assert await bench.verdict(data, gap=15) == ("bad", code), data[:20]
        assert bench.events.pop() == code
    assert await bench.verdict(frame(Kind.ECHO, 8, b"x")) == ("again", 8)
    assert bench.events.pop() == LinkRegister.DUPLICATES
    assert await bench.verdict(frame(Kind.ECHO, 9, b"x")) == ("good", 9)
    await bench.feed(b"\0\0\0")
    assert len(bench.verdicts) == 1  # nothing between delimiters is nothing


@cocotb.test()
async def free_frames_pass_a_full_ring(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.restart(1)
    dut.full.value = 1
    assert await bench.verdict(frame(Kind.ECHO, 1, b"x")) == ("bad", Code.CREDIT)
    for kind, payload in ((Kind.ACK, b"\3"), (Kind.HELLO, bytes((VERSION,))), (Kind.RESET, b"")):
        assert await bench.verdict(frame(kind, 4, payload)) == ("good", 4)
    dut.full.value = 0
    assert await bench.verdict(frame(Kind.ECHO, 1, b"x")) == ("good", 1)


@cocotb.test()
async def random_bytes_are_no_frames(dut):
    """And it is still there afterwards."""
    bench, draw = Bench(dut), Random(3)
    await bench.cycles.reset()
    await bench.restart(1)
    bench.verdicts.clear()
    for _ in range(40):
        zeros = draw.choice([0.0, 0.05, 0.4])
        data = [0 if draw.random() < zeros else draw.randrange(256) for _ in range(300)]
        await bench.feed(data, gap=14)
    assert len(bench.verdicts) > 200
    assert {name for name, _ in bench.verdicts} == {"bad"}
    await bench.feed(b"\0")
    assert await bench.verdict(frame(Kind.ECHO, 1, b"well")) == ("good", 1)


@cocotb.test()
async def keeps_frames_behind_a_gap(dut):
    """As many as come in order; damage and repetition change nothing; then all count."""
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.restart(9)
    dut.free.value = 1
    early = {number: frame(Kind.ECHO, number, bytes((number,))) for number in range(9, 15)}

    def state():
        return tuple(int(getattr(dut, name).value) for name in ("expected", "missing", "until"))

    for number, told in ((11, (9, 2, 3)), (12, (9, 2, 4))):
        assert await bench.verdict(early[number]) == ("early", number)
        assert state() == told
        assert bench.events.pop() == LinkRegister.ACCEPTED
    assert await bench.verdict(early[11]) == ("again", 11)
    assert await bench.verdict(early[14]) == ("bad", Code.SEQUENCE)
    assert await bench.verdict(early[9][:-3] + b"\1\0") == ("bad", Code.CRC)
    dut.full.value = 1
    for number in (9, 13):
        assert await bench.verdict(early[number]) == ("bad", Code.CREDIT)
    assert await bench.verdict(early[12]) == ("again", 12)
    dut.full.value = 0
    assert await bench.verdict(early[9]) == ("good", 9)
    assert await bench.verdict(early[13]) == ("bad", Code.SEQUENCE)  # another is missing still
    assert state() == (10, 1, 3)
    assert await bench.verdict(early[10]) == ("good", 10)
    assert state() == (13, 0, 0)
    dut.free.value = 0
    assert await bench.verdict(early[14]) == ("bad", Code.SEQUENCE)
    assert await bench.verdict(early[13]) == ("good", 13)
    assert [payload[0] for _, payload in bench.kept] == [11, 12, 9, 10, 13]
    dut.free.value = 1
    assert await bench.verdict(frame(Kind.ECHO, 20, b"x")) == ("early", 20)
    await bench.restart(20)
    assert state() == (20, 0, 0)
    assert await bench.verdict(frame(Kind.ECHO, 20, b"x")) == ("good", 20)


@pytest.mark.parametrize("selective", [False, True])
def test_parser(bench, selective):
    only = "" if selective else "good|damaged|why|full|random"
    bench(Parser(Machine(), LinkParameters(selective=selective)), only=only)
