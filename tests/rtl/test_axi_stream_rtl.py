# SPDX-License-Identifier: Apache-2.0
"""AXI4-Stream to and from the core's streams, driven by `cocotbext.axi` with pauses."""

from itertools import product
from random import Random

import cocotb
import pytest
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from antevolt.hdl.io.axi_stream import AxiIn, AxiOut
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS, Flag
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source, stalls

WORDS = 140  # of a run; whole packets
SOON = 5  # cycles in which a first word gets through


def signed(word, bits):
    return (word ^ 1 << bits - 1) - (1 << bits - 1) & 0xFFFFFFFF


@cocotb.test()
async def to_the_core(dut):
    word, flags, draw = values()["word"], values()["flags"], Random(1)
    cycles = Cycles(dut)
    source = AxiStreamSource(AxiStreamBus.from_entity(dut), dut.clk, dut.rst, byte_lanes=1)
    sink = Sink(cycles, "o")
    await cycles.reset()
    for n, (before, after) in enumerate(product(STALLS, STALLS)):
        source.set_pause_generator(stalls(before, n))
        sink.stalls = stalls(after, n + 50)
        expected = []
        while len(expected) < WORDS:
            data = [draw.getrandbits(32) for _ in range(draw.randrange(1, 9))]
            user = [draw.getrandbits(INPUT_FLAG_BITS) for _ in data]
            last = [0] * (len(data) - 1) + [int(Flag.LAST)]  # cocotbext ends a frame with TLAST
            for own, bits, ends in zip(data, user, last, strict=True):
                above = (bits | ends) << word if flags else 0
                expected.append(own & (1 << word) - 1 | above)
            await source.send(AxiStreamFrame(data, **({"tuser": user} if flags else {})))
        await cycles.until(lambda: len(sink.words) >= len(expected))  # noqa: B023
        assert sink.words == expected
        sink.clear()


@cocotb.test()
async def from_the_core(dut):
    word, draw = values()["word"], Random(3)
    cycles = Cycles(dut)
    source = Source(cycles, "i")
    sink = AxiStreamSink(AxiStreamBus.from_entity(dut), dut.clk, dut.rst, byte_lanes=1)
    await cycles.reset()
    for n, (before, after) in enumerate(product(STALLS, STALLS)):
        source.stalls = stalls(before, n)
        sink.set_pause_generator(stalls(after, n + 50))
        packet = (0, 1, 2, 7, 20)[n % 5]
        dut.packet.value, dut.restart.value = packet, 1
        await cycles.step()
        dut.restart.value = 0
        words = [draw.getrandbits(word + FLAG_BITS) for _ in range(WORDS)]
        words[-1] |= int(Flag.LAST) << word
        source.send(words)
        while words:
            size = packet or next(n for n, w in enumerate(words, 1) if w >> word & Flag.LAST)
            frame, words = words[:size], words[size:]
            await cycles.until(lambda: not sink.empty())
            found = sink.recv_nowait()
            assert list(found.tdata) == [signed(w & (1 << word) - 1, word) for w in frame]
            user = found.tuser if isinstance(found.tuser, list) else [found.tuser] * len(frame)
            assert user == [w >> word for w in frame]
        assert sink.empty()


@cocotb.test()
async def an_offered_word_stays_in_a_reset_of_the_core(dut):
    """`restart` counts anew and drops nothing."""
    cycles = Cycles(dut)
    source = Source(cycles, "i")
    await cycles.reset()
    dut.packet.value = 3
    source.send([5, 6])
    await cycles.run(SOON)
    assert (int(dut.tvalid.value), int(dut.tdata.value)) == (1, 5)
    dut.restart.value = 1
    await cycles.step()
    dut.restart.value = 0
    assert (int(dut.tvalid.value), int(dut.tdata.value)) == (1, 5)
    dut.tready.value = 1
    source.send([7, 8, 9])
    seen = []
    for _ in range(10):
        if int(dut.tvalid.value):
            seen.append((int(dut.tdata.value), int(dut.tlast.value)))
        await cycles.step()
    assert seen == [(5, 0), (6, 0), (7, 0), (8, 0), (9, 1)]


@pytest.mark.parametrize(("word", "flags"), [(18, True), (16, False)])
def test_in(bench, word, flags):
    bench(AxiIn(word, flags), "to_the_core", word=word, flags=flags)


def test_out(bench):
    bench(AxiOut(18), "from_the_core|an_offered", word=18)
