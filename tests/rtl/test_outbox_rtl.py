# SPDX-License-Identifier: Apache-2.0
"""The outbox against the host's own decoder."""

from random import Random

import cocotb
import pytest

from antevolt.hdl.io.outbox import FULL, QUIET, Outbox
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.link import PAYLOAD_BYTES, Kind
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.codec import outputs, unpack
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles, Source

BUSY, FREE = 600, 20  # cycles with nothing sent while the line is busy, and to what waited
ROOM = 60  # cycles in which a frame gets as far as it may
LINE = 80  # cycles of a frame on its way


class Bench:
    """Notes the frames."""

    def __init__(self, dut, stall="none"):
        self.dut, self.cycles, self.word = dut, Cycles(dut), values()["word"]
        self.out, self.answer, self.echo = (
            Source(self.cycles, name, stall, k) for k, name in enumerate(("out", "answer", "echo"))
        )
        self.pushed, self.frames = bytearray(), []
        self.cycles.drivers.append(self)
        dut.room.value = 1
        dut.free.value = 1

    def drive(self):
        pass

    def sample(self):
        if int(self.dut.push.value):
            self.pushed.append(int(self.dut.byte.value))
        if int(self.dut.commit.value):
            assert int(self.dut.length.value) == len(self.pushed) <= PAYLOAD_BYTES
            self.frames.append((int(self.dut.kind.value), bytes(self.pushed)))
            self.pushed.clear()

    async def finish(self):
        sources = self.out, self.answer, self.echo
        await self.cycles.until(lambda: not any(source.words for source in sources))
        await self.cycles.run(QUIET + LINE)

    def words(self, kind):
        found = []
        for own, payload in self.frames:
            if own == kind == Kind.OUT:
                found += outputs(payload, self.word).tolist()
            elif own == kind:
                found += unpack(payload, 36 if kind == Kind.ANSWER else 8).tolist()
        return found


@cocotb.test()
@cocotb.parametrize(stall=["none", "random", "bursty"])
async def packs(dut, stall):
    bench, draw = Bench(dut, stall), Random(stall)
    await bench.cycles.reset()
    flags = [draw.choice([0, 1, 1, 1, 9, 31]) for _ in range(400)]
    out = [draw.getrandbits(bench.word) | f << bench.word for f in flags]
    answers = [draw.getrandbits(36) for _ in range(120)]
    echoes = [draw.randrange(256) for _ in range(300)]
    for source, words in ((bench.out, out), (bench.answer, answers), (bench.echo, echoes)):
        source.send(words)
    await bench.finish()
    assert bench.words(Kind.OUT) == out
    assert bench.words(Kind.ANSWER) == answers
    assert bench.words(Kind.ECHOED) == echoes


@cocotb.test()
async def answers_follow_outputs(dut):
    """All outputs that were there come before an answer; and frames are filled."""
    bench = Bench(dut)
    await bench.cycles.reset()
    bench.out.send([1 << bench.word | 7] * 300)
    bench.answer.send([5] * 60)
    await bench.finish()
    kinds = [kind for kind, _ in bench.frames]
    assert kinds == sorted(kinds)
    for kind in (Kind.OUT, Kind.ANSWER):
        lengths = [len(payload) for own, payload in bench.frames if own == kind]
        assert len(lengths) > 1
        assert all(length > FULL for length in lengths[:-1])


@cocotb.test()
async def waits_while_the_line_is_busy(dut):
    bench = Bench(dut)
    await bench.cycles.reset()
    dut.free.value = 0
    bench.echo.send([1, 2, 3])
    await bench.cycles.run(BUSY)
    assert bench.frames == []
    dut.free.value = 1
    await bench.cycles.run(FREE)
    assert bench.frames == [(Kind.ECHOED, b"\1\2\3")]


@cocotb.test()
async def gives_what_it_has_when_there_is_no_room(dut):
    """So that the host can acknowledge it, and room comes."""
    bench = Bench(dut)
    await bench.cycles.reset()
    dut.free.value = 0
    bench.echo.send([1, 2])
    await bench.cycles.run(ROOM)
    dut.room.value = 0
    bench.echo.send([3])
    await bench.cycles.run(ROOM)
    assert bench.frames == [(Kind.ECHOED, b"\1\2")]
    assert len(bench.echo.words) == 1
    dut.room.value = dut.free.value = 1
    await bench.finish()
    assert bench.words(Kind.ECHOED) == [1, 2, 3]


@pytest.mark.parametrize("word", [18, 16])
def test_outbox(bench, word):
    bench(Outbox(Machine(formats=Formats(word))), word=word)
