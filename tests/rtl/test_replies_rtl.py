# SPDX-License-Identifier: Apache-2.0
"""The replies: the most urgent first, each once, with what is true when it is sent."""

import cocotb

from antevolt.hdl.io.replies import Replies
from antevolt.hdl.spec.link import Code, Kind, LinkParameters
from antevolt.sim.bench.streams import Cycles

LINK = LinkParameters(receive_bytes=512)
STATE = {
    "fingerprint": 0x89ABCDEF, "session": 0x1234, "expected": 77, "consumed": 9, "upcoming": 88,
    "missing": 3, "until": 9,
}  # fmt: skip
SOON = 5  # cycles in which a reply that is due is there


class Bench:
    def __init__(self, dut):
        self.dut, self.cycles = dut, Cycles(dut)

    async def start(self):
        await self.cycles.reset()
        await self.pulse(**STATE, keep=True)

    async def pulse(self, keep=False, **inputs):
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        await self.cycles.step()
        for name in inputs if not keep else ():
            getattr(self.dut, name).value = 0

    async def take(self):
        """The reply that is offered, or None."""
        await self.cycles.step()
        dut = self.dut
        if not int(dut.valid.value):
            return None
        size = int(dut.size.value)
        fields = int(dut.fields.value) & (1 << 8 * size) - 1
        text = int(dut.text.value)
        found = Kind(int(dut.kind.value)), int(dut.sequence.value), fields, size, text
        await self.pulse(taken=1)
        return found


HELLO = (Kind.HELLO, 5, 0x123489ABCDEF, 6, 1)
RESET = (Kind.RESET, 5, 0, 0, 0)
BAUD = (Kind.BAUD, 5, 26, 2, 0)
ERROR = (Kind.ERROR, 77, Code.RANGE | 0x14 << 8 | 3 << 16 | 9 << 24, 4, 0)
ACK = (Kind.ACK, 77, 9 | 88 << 16, 4, 0)


@cocotb.test()
async def in_order_of_urgency(dut):
    bench = Bench(dut)
    await bench.start()
    assert await bench.take() is None
    names = ("hello", "reset", "baud", "error", "acknowledge")
    await bench.pulse(**dict.fromkeys(names, 1), nonce=5, divisor=26, code=Code.RANGE, about=0x14)
    assert [await bench.take() for _ in range(6)] == [HELLO, RESET, BAUD, ERROR, ACK, None]


@cocotb.test()
async def what_is_asked_while_it_is_sent_is_said_again(dut):
    bench = Bench(dut)
    await bench.start()
    await bench.pulse(acknowledge=1)
    await bench.pulse(acknowledge=1, taken=1)
    assert await bench.take() == ACK
    assert await bench.take() is None


@cocotb.test()
async def cleared(dut):
    bench = Bench(dut)
    await bench.start()
    await bench.pulse(hello=1, error=1, acknowledge=1, nonce=5)
    await bench.pulse(clear=1, reset=1, nonce=5)
    assert [await bench.take() for _ in range(2)] == [RESET, None]


@cocotb.test()
async def credit_is_told_unasked(dut):
    """When a quarter of the buffer was freed since the last ACK; once."""
    bench = Bench(dut)
    await bench.start()
    await bench.pulse(acknowledge=1)
    assert await bench.take() == ACK
    dut.consumed.value = 9 + 127
    await bench.cycles.run(SOON)
    assert await bench.take() is None
    dut.consumed.value = 9 + 128
    await bench.cycles.run(SOON)
    assert await bench.take() == (Kind.ACK, 77, 9 + 128 | 88 << 16, 4, 0)
    await bench.cycles.run(SOON)
    assert await bench.take() is None
    await bench.pulse(restart=1, clear=1)
    dut.consumed.value = 0
    await bench.cycles.run(SOON)
    assert await bench.take() is None


def test_replies(bench):
    bench(Replies(LINK))
