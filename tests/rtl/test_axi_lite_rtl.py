# SPDX-License-Identifier: Apache-2.0
"""AXI4-Lite, driven by `cocotbext.axi` with pauses on every channel, against a plain memory."""

from random import Random

import cocotb
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from antevolt.hdl.io.axi_lite import AxiLite
from antevolt.sim.bench.streams import STALLS, Cycles, stalls

BROKEN = 0x3C  # an address at which the registers fail
FOREVER = 1 << 30  # cycles


class Registers:
    """Sixteen words behind the component, each access taking some cycles."""

    def __init__(self, cycles):
        self.dut, self.draw, self.cycles = cycles.dut, Random(5), cycles
        self.words, self.left, self.served = [0] * 16, 0, []
        cycles.drivers.append(self)

    def drive(self):
        dut = self.dut
        dut.done.value = dut.error.value = 0
        if int(dut.active.value) and self.left == 0:
            number = int(dut.address.value) // 4
            failing = number == BROKEN // 4
            if int(dut.write.value) and not failing:
                self.words[number] = int(dut.data.value)
            self.served.append((int(dut.write.value), number))
            dut.reply.value = self.words[number]
            dut.done.value, dut.error.value = 1, failing
            self.left = self.draw.choice([0, 0, 1, 7]) + 2
        elif self.left:
            self.left -= 1

    def sample(self):
        """All is said in `drive`."""


def pause(master, pattern):
    """On every channel its own."""
    write, read = master.write_if, master.read_if
    channels = write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel
    for n, channel in enumerate(channels):
        channel.set_pause_generator(stalls(pattern, n))


@cocotb.test()
async def reads_and_writes(dut):
    cycles, draw = Cycles(dut), Random(1)
    registers = Registers(cycles)
    master = AxiLiteMaster(AxiLiteBus.from_entity(dut), dut.clk, dut.rst)
    await cycles.reset()
    cocotb.start_soon(cycles.run(FOREVER))
    words = [0] * 16
    for pattern in STALLS:
        pause(master, pattern)
        for _ in range(30):
            number, word = draw.randrange(15), draw.getrandbits(32)
            done = await master.write(4 * number, word.to_bytes(4, "little"))
            assert done.resp == AxiResp.OKAY
            words[number] = word
            number = draw.randrange(15)
            found = await master.read(4 * number, 4)
            assert found.resp == AxiResp.OKAY
            assert int.from_bytes(found.data, "little") == words[number]
        done, found = await master.write(BROKEN, bytes(4)), await master.read(BROKEN, 4)
        assert done.resp == found.resp == AxiResp.SLVERR
        before = len(registers.served)
        part = await master.write(draw.choice([8, 9, 10]), b"\x55")  # one strobe of four
        assert part.resp == AxiResp.SLVERR
        assert len(registers.served) == before
    assert registers.words == words


@cocotb.test()
async def both_ways_at_once(dut):
    """Neither direction starves the other, and each has its own order."""
    cycles, draw = Cycles(dut), Random(2)
    registers = Registers(cycles)
    master = AxiLiteMaster(AxiLiteBus.from_entity(dut), dut.clk, dut.rst)
    await cycles.reset()
    cocotb.start_soon(cycles.run(FOREVER))
    for pattern in STALLS:
        pause(master, pattern)
        first, count = len(registers.served), 40
        written = [(draw.randrange(8), draw.getrandbits(32)) for _ in range(count)]
        read = [draw.randrange(8, 15) for _ in range(count)]
        writes = [master.init_write(4 * n, w.to_bytes(4, "little")) for n, w in written]
        reads = [master.init_read(4 * n, 4) for n in read]
        for event in (*writes, *reads):
            await event.wait()
        served = registers.served[first:]
        assert [n for write, n in served if write] == [n for n, _ in written]
        assert [n for write, n in served if not write] == read
        assert all(registers.words[n] == dict(written)[n] for n in dict(written))
        if pattern == "none":
            middle = [write for write, _ in served[10:-10]]
            assert 0.4 < sum(middle) / len(middle) < 0.6


def test_lite(bench):
    bench(AxiLite())
