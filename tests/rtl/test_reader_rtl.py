# SPDX-License-Identifier: Apache-2.0
"""The reader on a memory that answers two cycles later: each byte once, none before it is there."""

from random import Random

import cocotb

from antevolt.hdl.io.reader import Reader
from antevolt.sim.bench.streams import STALLS, Cycles, Sink

SILENCE = 20  # cycles in which nothing may follow the last byte


class Memory:
    """Bytes of which `end` are there; those behind are noise."""

    def __init__(self, dut, cycles, data):
        self.dut, self.data, self.end = dut, data, 0
        self.address = self.old = 0
        self.draw = Random(3)
        cycles.drivers.append(self)

    def drive(self):
        here = self.old < self.end
        self.dut.data.value = self.data[self.old] if here else self.draw.randrange(256)
        self.dut.end.value = self.end

    def sample(self):
        self.old, self.address = self.address, int(self.dut.address.value)


@cocotb.test()
@cocotb.parametrize(pressure=STALLS)
async def reads_what_is_there(dut, pressure):
    cycles, draw = Cycles(dut), Random(pressure)
    sink, data = Sink(cycles, "o", pressure, 2), draw.randbytes(300)
    memory = Memory(dut, cycles, data)
    await cycles.reset()
    while memory.end < len(data):
        memory.end = min(len(data), memory.end + draw.choice([0, 1, 2, 40]))
        await cycles.run(draw.choice([1, 2, 3, 60]))
        assert len(sink.words) <= memory.end
    await cycles.until(lambda: len(sink.words) == len(data))
    await cycles.run(SILENCE)
    assert bytes(sink.words) == data


def test_reader(bench):
    bench(Reader())
