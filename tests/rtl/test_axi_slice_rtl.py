# SPDX-License-Identifier: Apache-2.0
"""The register slice: every word once and in order, one a cycle when nobody waits."""

from random import Random

import cocotb
from cocotb.triggers import Timer

from antevolt.hdl.io.axi_slice import AxiSlice
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source, stalls

WIDTH, WORDS = 23, 150
SOON = 20  # cycles in which it takes all that it can hold


@cocotb.test()
async def words_pass(dut):
    draw, cycles = Random(1), Cycles(dut)
    source, sink = Source(cycles, "i"), Sink(cycles, "o")
    await cycles.reset()
    for before in STALLS:
        for after in STALLS:
            source.stalls, sink.stalls = stalls(before, 1), stalls(after, 2)
            words = [draw.getrandbits(WIDTH) for _ in range(WORDS)]
            source.send(words)
            taken = await cycles.until(lambda: len(sink.words) >= WORDS)
            assert sink.words == words, (before, after)
            assert before != "none" or after != "none" or taken <= WORDS + 3
            sink.clear()


@cocotb.test()
async def a_reset_forgets(dut):
    draw, cycles = Random(3), Cycles(dut)
    source, sink = Source(cycles, "i"), Sink(cycles, "o")
    await cycles.reset()
    words = [draw.getrandbits(WIDTH) for _ in range(WORDS)]
    source.send(words[:5])
    sink.open = False
    await cycles.run(SOON)
    assert source.taken == 2  # as many as it holds
    await cycles.reset()
    source.clear()
    sink.clear()
    sink.open = True
    source.send(words[10:])
    await cycles.until(lambda: len(sink.words) == WORDS - 10)
    assert sink.words == words[10:]


@cocotb.test()
async def ready_comes_from_a_register(dut):
    """It does not follow the reader within a cycle, nor does valid follow the sender."""
    cycles, draw = Cycles(dut), Random(2)
    await cycles.reset()
    for _ in range(300):
        seen = set()
        for reads in (0, 1):
            dut.o__ready.value, dut.i__valid.value = reads, draw.randrange(2)
            await Timer(1, unit="ns")
            seen.add((int(dut.i__ready.value), int(dut.o__valid.value), int(dut.o__payload.value)))
        assert len(seen) == 1
        await cycles.step()


def test_slice(bench):
    bench(AxiSlice(WIDTH))
