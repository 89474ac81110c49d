# SPDX-License-Identifier: Apache-2.0
"""The link, bit by bit on its line: HELLO, an echo, a reset. The rest: `tests/host/test_link.py`.

That one runs the same gateware in a faster simulator, with the host's session at the other end.
"""

from dataclasses import replace

import cocotb

from antevolt.hdl.io.link import Link
from antevolt.hdl.spec.link import (
    RESEND_PLACE,
    VERSION,
    AckFlag,
    Code,
    Kind,
    LinkParameters,
    describe,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.codec import Decoder, encode
from antevolt.sim.bench.streams import Cycles

LINK = LinkParameters(460_800, 115_200, 115_200)
DIVISOR = 4


class Line:
    """The other end of the line."""

    def __init__(self, dut):
        self.dut, self.cycles, self.levels, self.out = dut, Cycles(dut), [], []
        self.cycles.drivers.append(self)
        self.decoder = Decoder()
        self.at = 0
        dut.rx.value = 1

    def drive(self):
        self.dut.rx.value = self.levels.pop(0) if self.levels else 1

    def sample(self):
        self.out.append(int(self.dut.tx.value))

    def send(self, data):
        for byte in data:
            for level in (0, *(byte >> k & 1 for k in range(8)), 1):
                self.levels += [level] * DIVISOR

    async def say(self, data, cycles=6000):
        """What comes back."""
        self.send(data)
        await self.cycles.run(cycles)
        found, out = bytearray(), self.out
        while self.at + 10 * DIVISOR < len(out):
            if out[self.at]:
                self.at += 1
                continue
            middle = [out[self.at + DIVISOR // 2 + k * DIVISOR] for k in range(10)]
            assert middle[0] == 0
            assert middle[9] == 1
            found.append(sum(bit << k for k, bit in enumerate(middle[1:9])))
            self.at += 9 * DIVISOR + DIVISOR // 2
        return list(self.decoder.feed(bytes(found)))


@cocotb.test()
async def a_session(dut):
    line = Line(dut)
    await line.cycles.reset()
    assert await line.say(b"", 300) == []
    (hello,) = await line.say(b"\0" + encode(Kind.HELLO, 7, bytes((VERSION,))))
    text = describe(Machine(), LINK)
    assert hello == (Kind.HELLO, 7, text + bytes(6))
    (reset,) = await line.say(encode(Kind.RESET, 500))
    assert reset == (Kind.RESET, 500, b"")
    replies = await line.say(encode(Kind.ECHO, 500, b"there") + encode(Kind.ECHO, 502, b"x"))
    kinds = {m.kind: m for m in replies}
    assert kinds[Kind.ECHOED] == (Kind.ECHOED, 500, b"there")
    assert kinds[Kind.ERROR].sequence == 501
    (hello,) = await line.say(encode(Kind.HELLO, 8, bytes((VERSION,))))
    assert hello.payload[-2:] == (500).to_bytes(2, "little")
    assert not int(dut.restart.value)


@cocotb.test()
async def a_lost_frame(dut):
    """It is named; those behind it are kept, and answered with it."""
    line = Line(dut)
    await line.cycles.reset()
    await line.say(b"\0" + encode(Kind.RESET, 500))
    frames = [encode(Kind.ECHO, 500 + k, bytes((k,)) * 3) for k in range(5)]
    kept = await line.say(b"".join(frames[2:4]))
    assert {m.kind for m in kept} == {Kind.ERROR}
    assert kept[-1] == (Kind.ERROR, 500, bytes((Code.MISSING, Kind.ECHO, 2, 4)))
    replies = await line.say(frames[0] + frames[1] + frames[4])
    echoes = b"".join(m.payload for m in replies if m.kind is Kind.ECHOED)
    assert echoes == b"".join(bytes((k,)) * 3 for k in range(5))
    assert [m.sequence for m in replies if m.kind is Kind.ACK][-1] == 505
    first = next(m for m in replies if m.kind is Kind.ECHOED)
    flags = bytes((AckFlag.RESEND | 1 << RESEND_PLACE,))
    assert await line.say(encode(Kind.ACK, first.sequence, flags)) == [first]


def test_link(bench):
    bench(Link(Machine(), LINK), only="a_session")


def test_selective_link(bench):
    bench(Link(Machine(), replace(LINK, selective=True)), only="a_lost")
