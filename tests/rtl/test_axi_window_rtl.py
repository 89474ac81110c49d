# SPDX-License-Identifier: Apache-2.0
"""The registers of the IP core against plain numbers, and its window against a plain core."""

from random import Random

import cocotb
from cocotb.triggers import FallingEdge

from antevolt.hdl.core.gate import request
from antevolt.hdl.io.axi_window import AxiWindow
from antevolt.hdl.spec.axi_map import AXI_REGISTERS, PATIENCE, AxiRegister
from antevolt.hdl.spec.description import KIND
from antevolt.sim.bench.streams import STALLS, Cycles, Sink, Source, stalls
from antevolt.sim.bench.timeline import unpacked

MASK = 0xFFFFFFFF


class Bench:
    """A window, what it asks of the core, and the core's answers."""

    def __init__(self, dut, stall="none"):
        self.dut, self.cycles = dut, Cycles(dut)
        self.core = Sink(self.cycles, "access", stall, seed=1)
        self.answers = Source(self.cycles, "answer", stall, seed=2)
        self.pulses = {"reset": 0, "restart": 0}
        self.cycles.drivers.append(self)

    def drive(self):
        """Inputs are set between cycles."""

    def sample(self):
        for name in self.pulses:
            self.pulses[name] += int(getattr(self.dut, name).value)

    async def access(self, register, word=None):
        """A write of `word`, or a read; (word read, error)."""
        dut = self.dut
        dut.active.value, dut.write.value = 1, word is not None
        dut.address.value, dut.data.value = int(register), word or 0
        await self.cycles.until(lambda: int(dut.done.value), 500)
        found = int(dut.reply.value), int(dut.error.value)
        dut.active.value = 0
        await self.cycles.step()
        return found

    async def read(self, register):
        word, error = await self.access(register)
        assert not error
        return word


@cocotb.test()
async def registers_keep_their_words(dut):
    bench, draw = Bench(dut), Random(1)
    await bench.cycles.reset()
    kept = dict.fromkeys(AxiRegister, 0) | {AxiRegister.KIND: KIND}
    kept[AxiRegister.PATIENCE] = PATIENCE
    del kept[AxiRegister.DATA]
    for n in range(150):
        register, word = draw.choice(list(kept)), draw.getrandbits(32)
        before = dict(bench.pulses)
        assert (await bench.access(register, word))[1] == 0
        told = AXI_REGISTERS[register]
        if register == AxiRegister.RESET:
            assert bench.pulses["reset"] == before["reset"] + word % 2
        elif told.writable:
            kept[register] = word & (1 << told.bits) - 1
        status = draw.randrange(16)
        dut.busy.value, dut.offered.value = status & 1, status >> 1
        await bench.cycles.step()
        kept[AxiRegister.STATUS] = status
        wanted = list(kept) if n % 10 == 0 else [register]
        for other in wanted:
            assert await bench.read(other) == kept[other], other.name
        assert int(dut.packet.value) == kept[AxiRegister.PACKET]
        restarts = bench.pulses["restart"] - before["restart"]
        reset = register == AxiRegister.RESET and word % 2
        assert restarts == int(register == AxiRegister.PACKET or reset)
    for address in range(max(AxiRegister) + 4, 64, 4):
        assert (await bench.access(address))[1] == 1
        assert (await bench.access(address, 5))[1] == 1


@cocotb.test()
async def the_window(dut):
    """Words go to the addresses in turn, and come from them; busy makes an access wait."""
    draw = Random(2)
    bench = Bench(dut)
    await bench.cycles.reset()
    for stall in STALLS[:2] + STALLS[3:]:
        bench.core.stalls, bench.answers.stalls = stalls(stall, 1), stalls(stall, 2)
        for _ in range(6):
            start = draw.getrandbits(28)
            await bench.access(AxiRegister.ADDRESS, start)
            for n in range(4):
                address = start & ~0xFFFF | (start + n) & 0xFFFF
                word, writes = draw.getrandbits(36), draw.randrange(2)
                busy = draw.choice([0, 0, 5, 30])
                dut.busy.value = busy > 0
                if busy:
                    cocotb.start_soon(falls(bench, busy))
                if writes:
                    await bench.access(AxiRegister.DATA_HIGH, word >> 32)
                    assert (await bench.access(AxiRegister.DATA, word & MASK))[1] == 0
                else:
                    bench.answers.send([word])
                    found, error = await bench.access(AxiRegister.DATA)
                    assert (found, error) == (word & MASK, 0)
                    assert await bench.read(AxiRegister.DATA_HIGH) == word >> 32
                asked = unpacked(request, bench.core.words.pop())
                assert not bench.core.words
                assert asked["write"] == writes
                place = asked["region"] << 24 | asked["unit"] << 16 | asked["index"]
                assert place == address
                assert not writes or asked["data"] == word
            following = start & ~0xFFFF | (start + 4) & 0xFFFF
            assert await bench.read(AxiRegister.ADDRESS) == following
    assert await bench.read(AxiRegister.REFUSED) == 0


async def falls(bench, cycles):
    """The step ends after so many cycles."""
    end = bench.cycles.number + cycles
    while bench.cycles.number < end:
        await FallingEdge(bench.dut.clk)
    bench.dut.busy.value = 0


@cocotb.test()
async def patience_ends(dut):
    """A step that does not end: an error, nothing asked, the address as it was."""
    bench = Bench(dut)
    await bench.cycles.reset()
    await bench.access(AxiRegister.PATIENCE, 20)
    await bench.access(AxiRegister.ADDRESS, 0x1234567)
    dut.busy.value = 1
    for n in range(1, 4):
        before = bench.cycles.number
        assert (await bench.access(AxiRegister.DATA, 7 if n % 2 else None))[1] == 1
        assert 20 < bench.cycles.number - before < 30
        assert await bench.read(AxiRegister.REFUSED) == n
    assert not bench.core.words
    assert await bench.read(AxiRegister.ADDRESS) == 0x1234567
    dut.busy.value = 0
    assert (await bench.access(AxiRegister.DATA, 7))[1] == 0
    assert len(bench.core.words) == 1


def test_window(bench):
    bench(AxiWindow())
