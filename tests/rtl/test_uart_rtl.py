# SPDX-License-Identifier: Apache-2.0
"""The UART against a line that is written and read bit by bit."""

from random import Random

import cocotb
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.uart import UartReceiver, UartTransmitter
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles, Source

LONGER = 2  # cycles looked at behind the last bit


class Both(wiring.Component):
    """A receiver and a transmitter, each with a line of its own."""

    def __init__(self):
        super().__init__(
            {
                "rx": In(1),
                "tx": Out(1),
                "divisor": In(16),
                "i": In(stream.Signature(8)),
                "idle": Out(1),
                "byte": Out(8),
                "strobe": Out(1),
                "broken": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.receiver = receiver = UartReceiver()
        m.submodules.transmitter = transmitter = UartTransmitter()
        wiring.connect(m, wiring.flipped(self.i), transmitter.i)
        for name in ("rx", "divisor"):
            m.d.comb += getattr(receiver, name).eq(getattr(self, name))
        for name in ("byte", "strobe", "broken"):
            m.d.comb += getattr(self, name).eq(getattr(receiver, name))
        m.d.comb += [transmitter.divisor.eq(self.divisor), self.tx.eq(transmitter.tx)]
        m.d.comb += self.idle.eq(transmitter.idle)
        return m


class Line:
    """Notes what the receiver says and what is on the transmitter's line."""

    def __init__(self, dut):
        self.dut, self.cycles = dut, Cycles(dut)
        self.bytes, self.broken, self.levels = [], 0, []
        self.cycles.drivers.append(self)
        dut.divisor.value, dut.rx.value = values()["divisor"], 1

    def drive(self):
        pass

    def sample(self):
        if int(self.dut.strobe.value):
            self.bytes.append(int(self.dut.byte.value))
        self.broken += int(self.dut.broken.value)
        self.levels.append(int(self.dut.tx.value))

    async def hold(self, level, cycles):
        self.dut.rx.value = level
        await self.cycles.run(cycles)

    async def send(self, byte, bit, stop=1):
        """A bit takes `bit` cycles, which need be no integer."""
        end = now = 0.0
        for level in (0, *(byte >> k & 1 for k in range(8)), stop):
            end += bit
            await self.hold(level, round(end) - round(now))
            now = end


@cocotb.test()
async def receives(dut):
    """All bytes, back to back and apart, from a host that is 2 % off either way."""
    line, draw = Line(dut), Random(1)
    await line.cycles.reset()
    await line.hold(1, 50)
    divisor, sent = values()["divisor"], []
    for error in (0.0, 0.02, -0.02) if divisor >= 8 else (0.0,):
        for byte in range(256) if divisor < 100 else (0, 1, 0x55, 0xAA, 0x80, 0xFF):
            await line.send(byte, divisor * (1 + error))
            sent.append(byte)
            if draw.random() < 0.3:
                await line.hold(1, draw.randrange(3 * divisor))
    await line.hold(1, 20 * divisor)
    assert line.bytes == sent
    assert not line.broken


@cocotb.test()
async def waits_after_a_broken_byte(dut):
    line, divisor = Line(dut), values()["divisor"]
    await line.cycles.reset()
    await line.hold(1, 50)
    await line.send(0x55, divisor, stop=0)
    await line.hold(0, 30 * divisor)
    assert (line.broken, line.bytes) == (1, [])
    await line.hold(1, 4 * divisor)
    await line.send(0xA5, divisor)
    await line.hold(1, 4 * divisor)
    assert (line.broken, line.bytes) == (1, [0xA5])


@cocotb.test()
async def a_spike_is_no_byte(dut):
    line, divisor = Line(dut), values()["divisor"]
    await line.cycles.reset()
    await line.hold(1, 50)
    await line.hold(0, 1)
    await line.hold(1, 20 * divisor)
    assert (line.broken, line.bytes) == (0, [])


@cocotb.test()
async def sends(dut):
    """Without a gap while there are bytes, each bit as long as the divisor says."""
    line, divisor, draw = Line(dut), values()["divisor"], Random(2)
    source = Source(line.cycles, "i")
    await line.cycles.reset()
    sent = [draw.randrange(256) for _ in range(40 if divisor < 100 else 4)]
    source.send(sent)
    await line.cycles.until(lambda: not source.words and int(dut.idle.value))
    await line.cycles.run(LONGER)
    start = line.levels.index(0)
    bits = line.levels[start:]
    for number, byte in enumerate(sent):
        for place, level in enumerate((0, *(byte >> k & 1 for k in range(8)), 1)):
            at = (10 * number + place) * divisor
            assert set(bits[at : at + divisor]) == {level}, (number, place)
    assert set(bits[10 * len(sent) * divisor :]) <= {1}


@pytest.mark.parametrize("divisor", [4, 8, 104])
def test_uart(bench, divisor):
    only = "" if divisor >= 8 else "receives|waits|sends"
    bench(Both(), only=only, divisor=divisor)
