# SPDX-License-Identifier: Apache-2.0
"""The CRC against zlib."""

import zlib
from random import Random

import cocotb

from antevolt.hdl.io.crc import Crc
from antevolt.sim.bench.streams import Cycles


async def feed(cycles, data, draw=None):
    dut = cycles.dut
    for byte in data:
        dut.byte.value, dut.strobe.value = byte, 1
        await cycles.step()
        dut.strobe.value = 0
        assert await cycles.until(lambda: not int(dut.busy.value)) == 8
        await cycles.run(draw.randrange(4) if draw else 0)
    await cycles.step()


@cocotb.test()
async def equals_zlib(dut):
    cycles, draw = Cycles(dut), Random(1)
    await cycles.reset()
    for length in [*range(12), 64, 247]:
        data = draw.randbytes(length)
        dut.start.value = 1
        await cycles.step()
        dut.start.value = 0
        await feed(cycles, data, draw)
        assert int(dut.crc.value) == zlib.crc32(data)
        assert not int(dut.match.value) or not data
        await feed(cycles, zlib.crc32(data).to_bytes(4, "little"))
        assert int(dut.match.value)


@cocotb.test()
async def every_flipped_bit_is_noticed(dut):
    cycles = Cycles(dut)
    await cycles.reset()
    data = b"\x13\x07\x00\x42"
    whole = data + zlib.crc32(data).to_bytes(4, "little")
    for bit in range(8 * len(whole)):
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        dut.start.value = 1
        await cycles.step()
        dut.start.value = 0
        await feed(cycles, spoilt)
        assert not int(dut.match.value)


def test_crc(bench):
    bench(Crc())
