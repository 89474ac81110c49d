# SPDX-License-Identifier: Apache-2.0
"""The IP core, driven by `cocotbext.axi` with random pauses, against the model: every word."""

from random import Random

import cocotb
import numpy as np
import pytest
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiResp,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

from antevolt.hdl.ip import Ip
from antevolt.hdl.spec.axi_map import AxiRegister, Status
from antevolt.hdl.spec.description import described
from antevolt.hdl.spec.flags import INPUT_FLAG_BITS, Flag, target_follows
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import READ_ONLY, Address, Region, Register, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile
from antevolt.host.targets import known_only
from antevolt.host.verify_worker import COMPARED
from antevolt.host.words import signed, word_bits
from antevolt.sim.bench.core import load_model
from antevolt.sim.bench.simulator import inputs

MACHINE = Machine(
    rows=2, contexts=2, w_depth=32, r_depth=32, state_depth=32, q_depth=16, io_depth=16,
    program_depth=32, phi_log2=4, tables=1, traces=False, softmax=False, sums=False,
)  # fmt: skip
NETWORK = Network(
    2,
    (Population(4, "tanh", (1.0, 2.5, 4.0, 1.0), 1.5, 0.1), Population(3, "linear", 1.5, 1.0)),
    eta=2.0**-5,
    seed=3,
)
STEPS = 24
MASK = 0xFFFFFFFF


class Bench:
    """The buses of the IP core, and the model beside it."""

    def __init__(self, dut):
        for name in inputs():
            getattr(dut, name).value = 0
        self.dut, reset = dut, {"reset": dut.aresetn, "reset_active_level": False}
        Clock(dut.aclk, 10, unit="ns").start()
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **reset)
        self.x, self.y = (
            AxiStreamSource(AxiStreamBus.from_prefix(dut, f"s_axis_{n}"), dut.aclk, **reset,
                            byte_lanes=1) for n in "xy"
        )  # fmt: skip
        out = AxiStreamBus.from_prefix(dut, "m_axis_out")
        self.out = AxiStreamSink(out, dut.aclk, **reset, byte_lanes=1)
        self.image = compile(NETWORK, MACHINE)
        self.parameters = NETWORK.random_parameters(NETWORK.seed)
        self.model = load_model(self.image, self.parameters)
        self.high = 0

    async def begin(self):
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 2)

    async def put(self, register, word, resp=AxiResp.OKAY):
        done = await self.lite.write(int(register), int(word).to_bytes(4, "little"))
        assert done.resp == resp

    async def get(self, register, resp=AxiResp.OKAY):
        found = await self.lite.read(int(register), 4)
        assert found.resp == resp
        return int.from_bytes(found.data, "little")

    async def write(self, region, unit, index, words):
        await self.put(AxiRegister.ADDRESS, Address(region, unit, index).encode())
        for word in words:
            if self.high != word >> 32:
                self.high = word >> 32
                await self.put(AxiRegister.DATA_HIGH, self.high)
            await self.put(AxiRegister.DATA, word & MASK)

    async def read(self, region, unit, index, count):
        await self.put(AxiRegister.ADDRESS, Address(region, unit, index).encode())
        words = []
        for _ in range(count):
            low = await self.get(AxiRegister.DATA)
            self.high = await self.get(AxiRegister.DATA_HIGH)
            words.append(self.high << 32 | low)
        return words

    async def load(self):
        """Every word, also the zeros: an interrupted step leaves memories as they were then."""
        banks = self.image.layout.pack_weights(self.parameters)[0]
        blocks = [*self.image.words, *((Region.WEIGHTS, r, 0, w) for r, w in enumerate(banks))]
        for region, unit, index, words in blocks:
            await self.write(region, unit, index, [int(w) & (1 << 36) - 1 for w in words])

    def pause(self, percent):
        """Every channel waits in so many percent of the cycles."""
        write, read = self.lite.write_if, self.lite.read_if
        channels = [write.aw_channel, write.w_channel, write.b_channel]
        channels += [read.ar_channel, read.r_channel, self.x, self.y, self.out]
        for n, channel in enumerate(channels):
            draw = Random(n)
            waits = (draw.random() < percent / 100 for _ in iter(int, 1))
            channel.set_pause_generator(waits)

    async def stream(self, flags, x, y, noise):
        """Send steps [T, S, ...]; user bits of words that are no first ones are noise."""
        for own, values, targets in zip(flags.tolist(), x.tolist(), y.tolist(), strict=True):
            for flag, some, wanted in zip(own, values, targets, strict=True):
                user = [flag, *(noise.getrandbits(INPUT_FLAG_BITS) for _ in some[1:])]
                data = [value & MASK for value in some]
                await self.x.send(AxiStreamFrame(data, tuser=user))
                if target_follows(flag):
                    await self.y.send(AxiStreamFrame([value & MASK for value in wanted]))

    async def outputs(self, packets):
        """Words and flags of so many packets."""
        found = []
        for _ in range(packets):
            frame = await self.out.recv()
            user = frame.tuser if isinstance(frame.tuser, list) else [frame.tuser] * len(frame)
            found.append(list(zip(frame.tdata, user, strict=True)))
        return found


def samples(steps, seed):
    rng, fmt = np.random.default_rng(seed), MACHINE.formats.r
    shape = (steps, MACHINE.total_streams)
    x, y = (fmt.to_raw(rng.normal(0, 1.5, (*shape, n))) for n in (2, 3))
    flags = (rng.random((*shape, 6)) < (0.9, 0.1, 0.1, 0.8, 0.8, 0.3)) @ (1 << np.arange(6))
    return known_only(flags), x, y


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def learns_as_the_model_does(dut):
    bench, noise = Bench(dut), Random(9)
    await bench.begin()
    assert await bench.get(AxiRegister.KIND) == described(MACHINE)[0]
    found = await bench.read(Region.REGISTERS, 0, Register.CORE_KIND, len(READ_ONLY))
    assert tuple(found) == described(MACHINE)
    await bench.load()
    per_step = MACHINE.total_streams * 3
    await bench.put(AxiRegister.PACKET, per_step)
    for part, percent in enumerate((0, 40, 85)):
        bench.pause(percent)
        flags, x, y = samples(STEPS // (1 + part), part)
        await bench.stream(flags, x, y, noise)
        packets = await bench.outputs(len(flags))
        bench.model.steps(flags, x, y)
        word = MACHINE.formats.word
        raw = signed(bench.model.sent, word).tolist()
        wanted = zip((r & MASK for r in raw), (bench.model.sent >> word).tolist(), strict=True)
        assert [w for packet in packets for w in packet] == list(wanted)
        assert {len(packet) for packet in packets} == {per_step}
    bench.pause(10)
    for region in (Region.WEIGHTS, Region.GRADIENTS, Region.STATE, Region.PARTNER):
        bits = word_bits(MACHINE, region)
        for unit in range(size(MACHINE, region)[0]):
            model = bench.model.read(region, unit, 0, 16).tolist()
            words = await bench.read(region, unit, 0, 16)
            assert [w & (1 << bits) - 1 for w in words] == model, region
    for number in COMPARED:
        word = (await bench.read(Region.REGISTERS, 0, number, 1))[0]
        assert word == bench.model.read(Region.REGISTERS, 0, number, 1)[0], number
    before = bench.model.memories.weights.copy()
    assert (before != load_model(bench.image, bench.parameters).memories.weights).any()
    assert await bench.get(AxiRegister.REFUSED) == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def nothing_hangs_and_a_reset_helps(dut):
    """A step whose inputs end in the middle: accesses are refused until RESET ends it."""
    bench, noise = Bench(dut), Random(8)
    await bench.begin()
    await bench.load()
    flags, x, y = samples(6, 5)
    flags |= int(Flag.VALID | Flag.TARGET_VALID)
    await bench.put(AxiRegister.PACKET, 6)
    await bench.put(AxiRegister.PATIENCE, 100)
    await bench.x.send(AxiStreamFrame([5, 6, 7], tuser=[1, 0, 9]))
    await ClockCycles(dut.aclk, 200)
    assert int(dut.busy.value) == await bench.get(AxiRegister.STATUS) >> Status.BUSY & 1 == 1
    await bench.get(AxiRegister.DATA, AxiResp.SLVERR)
    await bench.put(AxiRegister.DATA, 1, AxiResp.SLVERR)
    assert await bench.get(AxiRegister.REFUSED) == 2
    await bench.get(0x3C, AxiResp.SLVERR)
    await bench.put(AxiRegister.RESET, 1)
    await ClockCycles(dut.aclk, 4)
    assert await bench.get(AxiRegister.STATUS) == 0
    bench.high = await bench.get(AxiRegister.DATA_HIGH)
    await bench.load()  # as the reset of a core demands
    await bench.stream(flags, x, y, noise)
    packets = await bench.outputs(6)
    bench.model.steps(flags, x, y)
    sent = bench.model.sent & (1 << MACHINE.formats.word) - 1
    got = [w & (1 << MACHINE.formats.word) - 1 for p in packets for w, _ in p]
    assert got == sent.tolist()


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def packets_end_with_a_sequence(dut):
    """PACKET 0: one for every word of a stream that is LAST."""
    bench, noise = Bench(dut), Random(7)
    await bench.begin()
    await bench.load()
    flags, x, y = samples(8, 6)
    flags = flags & ~int(Flag.LAST) | int(Flag.VALID)
    flags[3, 1] |= int(Flag.LAST)
    flags[7, 1] |= int(Flag.LAST)
    await bench.stream(flags, x, y, noise)
    packets = await bench.outputs(6)
    assert [len(p) for p in packets] == [3 * 7 + 1, 1, 1, 3 * 7 + 1, 1, 1]
    lasts = [user & Flag.LAST for packet in packets for _, user in packet[-1:]]
    assert all(lasts)


@pytest.mark.timeout(900)
def test_ip(bench):
    bench(Ip(MACHINE))
