# SPDX-License-Identifier: Apache-2.0
"""Order, ring, splice and reader against a receiver in Python: lost, doubled and exchanged frames.

What the reader gives out is the frames' own order, every byte; the ring never wants for room while
the host keeps to what it was told is used up.
"""

from collections import deque
from random import Random

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.gap import Gap
from antevolt.hdl.io.reader import Reader
from antevolt.hdl.io.ring import Ring
from antevolt.hdl.io.splice import Splice
from antevolt.hdl.spec.link import ENTRY_BYTES, SLACK_BYTES
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Sink
from order import WHOLE, Model

RING = {"byte": 8, "push": 1, "kind": 8, "length": 8, "commit": 1, "drop": 1}
OUTS = {"known": 1, "strange": 1, "ahead": 1, "expected": 16, "missing": 8, "until": 8}
SETTLES = 12  # cycles between a frame's last byte and its verdict
IDLE, ENDED, BLOCKED = 20, 20, 100  # cycles: for room; of silence after the last byte; at a gap


class Receiver(wiring.Component):
    """All of the link that frames in order go through, but the parser and the dispatcher."""

    def __init__(self, depth):
        self.depth = depth
        ports = {name: In(width) for name, width in RING.items()}
        outs = {name: Out(width) for name, width in OUTS.items()}
        more = {"full": Out(1), "free": Out(1), "base": Out(16), "end": Out(16)}
        own = {"sequence": In(16), "restart": In(1), "o": Out(stream.Signature(8))}
        super().__init__({**ports, **outs, **more, **own})

    def elaborate(self, platform):
        m = Module()
        m.submodules.ring = ring = Ring(self.depth)
        m.submodules.reader = reader = Reader()
        m.submodules.gap = gap = Gap(selective=True)
        m.submodules.splice = splice = Splice()
        wiring.connect(m, reader.o, wiring.flipped(self.o))
        m.d.comb += [getattr(ring, name).eq(getattr(self, name)) for name in RING]
        m.d.comb += [getattr(self, name).eq(getattr(gap, name)) for name in OUTS]
        m.d.comb += [
            *(gap.sequence.eq(self.sequence), gap.restart.eq(self.restart)),
            *(gap.commit.eq(self.commit), gap.free.eq(splice.free), self.free.eq(splice.free)),
            *(splice.opens.eq(gap.opens), splice.fills.eq(gap.fills)),
            *(splice.closes.eq(gap.closes), splice.end.eq(ring.end)),
            *(splice.address.eq(reader.address), splice.turns.eq(reader.turns)),
            *(reader.end.eq(splice.limit), reader.target.eq(splice.target)),
            *(reader.may_turn.eq(splice.may_turn), reader.data.eq(ring.data)),
            *(ring.base.eq(splice.base), ring.address.eq(reader.address)),
            *(self.full.eq(ring.full), self.base.eq(splice.base), self.end.eq(ring.end)),
        ]
        return m


class Bench:
    """A host that sends frames with their numbers, and a line that does to them what it likes."""

    def __init__(self, dut, pressure, first):
        self.dut, self.cycles, self.draw = dut, Cycles(dut), Random(f"{pressure} {first}")
        self.sink, self.depth = Sink(self.cycles, "o", pressure, 1), values()["depth"]
        self.first, self.model, self.frames = first, Model(first), []
        self.verdicts, self.sums = {"known": 0, "strange": 0, "kept": 0}, []
        self.opened = self.sent = 0

    async def start(self):
        await self.cycles.reset()
        self.dut.sequence.value = self.first
        await self.pulse(1, restart=1)

    async def pulse(self, after, **inputs):
        for name, value in inputs.items():
            getattr(self.dut, name).value = value
        await self.cycles.step()
        for name in inputs:
            getattr(self.dut, name).value = 0
        await self.cycles.run(after)

    def makes(self):
        """Whether there was room for a new frame."""
        data = self.draw.randbytes(self.draw.choice([0, 1, 5, 12]))
        used = self.sent - self.consumed
        if used + len(data) + ENTRY_BYTES > self.depth - SLACK_BYTES:
            return False
        self.sent += len(data) + ENTRY_BYTES
        self.frames.append((self.draw.randrange(256), data))
        return True

    @property
    def consumed(self):
        """Bytes ever used up; the counter has 16 bits."""
        base, before = int(self.dut.base.value), self.sums[-1] if self.sums else 0
        self.sums.append(before + (base - before) % WHOLE)
        assert self.sums[-1] <= self.sent
        return self.sums[-1]

    async def arrives(self, index):
        """Frame `index`: the verdict is the model's, and what is kept counts."""
        dut, model = self.dut, self.model
        number = (self.first + index) % WHOLE
        kind, data = self.frames[index]
        dut.sequence.value = number
        for byte in data:
            await self.pulse(3, push=1, byte=byte)
        await self.cycles.run(SETTLES)
        verdict = model.verdict(number, int(dut.free.value))
        self.verdicts[verdict] += 1
        assert int(dut.known.value) == (verdict == "known")
        assert int(dut.strange.value) == (verdict == "strange")
        assert int(dut.ahead.value) == (number != model.expected)
        if verdict == "kept":
            assert not int(dut.full.value)
            self.opened += number != model.expected and not model.missing
            model.keep(number)
            await self.pulse(5, commit=1, kind=kind, length=len(data))
        else:
            await self.pulse(5, drop=1)
        state = tuple(int(getattr(dut, name).value) for name in ("expected", "missing", "until"))
        assert state == (model.expected, model.missing, model.until)
        return verdict

    @property
    def delivered(self):
        """Bytes of all frames before the expected one: no gap is before them."""
        count = (self.model.expected - self.first) % WHOLE
        return [b for kind, data in self.frames[:count] for b in (len(data), kind, *data)]

    def compare(self):
        assert self.sink.words == self.delivered[: len(self.sink.words)]

    async def settle(self):
        """All that is in order comes out, and nothing else."""
        await self.cycles.until(lambda: len(self.sink.words) >= len(self.delivered), 20_000)
        await self.cycles.run(ENDED)
        assert self.sink.words == self.delivered


@cocotb.test()
@cocotb.parametrize(pressure=STALLS, loss=[0.1, 0.4])
async def equals_a_receiver_in_python(dut, pressure, loss):
    """A host that sends again what is missing, over a line that loses, doubles, reorders."""
    bench = Bench(dut, pressure, 0xFFF0)
    await bench.start()
    draw, line, again = bench.draw, deque(), 0
    while bench.model.expected != (bench.first + 150) % WHOLE:
        first = (bench.model.expected - bench.first) % WHOLE
        while len(bench.frames) < 150 and len(line) < 20 and bench.makes():
            line.append(len(bench.frames) - 1)
        if not line or draw.random() < loss / 2:  # what is missing; or all of it
            end = first + max(1, bench.model.missing)
            wanted = range(first, end if draw.random() < 0.8 else len(bench.frames))
            line.extend(index for index in wanted if index < len(bench.frames))
            again += 1
        if not line:
            await bench.cycles.run(IDLE)
            continue
        index = line.popleft()
        what = draw.random() / loss
        if what < 0.6:
            continue
        if what < 0.7 and line:
            line.insert(draw.randrange(len(line)), index)  # it comes later
            continue
        await bench.arrives(index)
        if what < 0.9:
            await bench.arrives(index)
        bench.compare()
        await bench.cycles.run(draw.choice([0, 0, 50, 400]))
    await bench.settle()
    assert bench.opened > 2
    assert bench.verdicts["known"] > 2
    assert again > 0


@cocotb.test()
async def one_loss(dut):
    """The frames behind it wait, and come with it; only it is sent again."""
    bench = Bench(dut, "none", 7)
    await bench.start()
    assert all(bench.makes() for _ in range(6))
    for index, verdict in ((0, "kept"), (3, "kept"), (4, "kept"), (3, "known"), (5, "kept")):
        assert await bench.arrives(index) == verdict
    await bench.cycles.run(BLOCKED)
    assert len(bench.sink.words) == ENTRY_BYTES + len(bench.frames[0][1])
    state = [int(getattr(dut, name).value) for name in ("missing", "until", "free")]
    assert state == [2, 5, 0]
    assert await bench.arrives(2) == "strange"
    assert await bench.arrives(1) == "kept"
    assert bench.makes()
    assert await bench.arrives(6) == "strange"  # the splice has begun
    assert await bench.arrives(2) == "kept"
    await bench.settle()
    assert int(dut.free.value)
    assert await bench.arrives(6) == "kept"
    await bench.settle()
    assert int(dut.base.value) == int(dut.end.value)


@cocotb.test()
async def what_is_read_keeps_its_place_until_the_frames_before_it_are_read(dut):
    """`base` stands still at the gap, goes with the reader through what was early, then jumps."""
    bench = Bench(dut, "none", 1)
    await bench.start()
    for _ in range(3):
        bench.frames.append((1, bytes(10)))
        bench.sent += 12
    bench.sink.open = False
    for index in (1, 2, 0):
        await bench.arrives(index)
    bench.sink.open = True
    bases = []
    while len(bench.sink.words) < 36:
        await bench.cycles.step()
        bases.append((len(bench.sink.words), int(dut.base.value)))
    await bench.cycles.run(ENDED)
    assert {base for words, base in bases if words < 12} == {0}
    assert {base for words, base in bases if 12 < words < 36} <= set(range(25))
    assert int(dut.base.value) == 36


def test_splice(bench):
    bench(Receiver(64), only="equals|one_loss|keeps", depth=64)


@pytest.mark.parametrize("depth", [512])
def test_splice_of_many(bench, depth):
    bench(Receiver(depth), only="equals", depth=depth)
