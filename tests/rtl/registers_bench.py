# SPDX-License-Identifier: Apache-2.0
"""Registers and the numbers that they should hold, in both of their benches.

Pauses are those between accesses and between steps; events come in all cycles, and the bus holds
anything but an access where there is none.
"""

from random import Random

from antevolt.hdl.core.bundles import Access
from antevolt.hdl.core.register_memory import APART, leisure
from antevolt.hdl.core.registers import EVENT_BITS
from antevolt.hdl.core.tap import reply_latency
from antevolt.hdl.spec.description import described
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, KINDS, READ_ONLY, Region, Register
from antevolt.hdl.spec.outputs import MODE_BITS, SHIFT_BITS
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles
from antevolt.sim.bench.timeline import packed
from flow import gaps

COUNTED = {
    Register.BUSY: "busy",
    Register.STALLED_INPUT: "stalled_input",
    Register.STALLED_OUTPUT: "stalled_output",
    Register.SLOTS: "slot",
} | {Register.SATURATED + n: f"saturated__{n}" for n in range(len(KINDS))}
COUNTED[Register.SATURATED_SUMS] = "saturated_sums"
SATURATIONS = (Register.SATURATED_SUMS, *(n for n in COUNTED if n >= Register.SATURATED))
WRITABLE = {
    Register.STEP: 32,
    Register.SEED: 32,
    Register.APPLY_EVERY: 32,
    Register.LEARNED: 32,
    Register.OUTPUT_MODE: MODE_BITS,
    Register.OUTPUT_EVERY: 32,
    Register.OUTPUT_PASSED: 32,
    Register.OUTPUT_SHIFT: SHIFT_BITS,
}
"""Bits of each; what counts steps counts them in `step`."""
SIZE = Register.CORE_KIND + len(READ_ONLY)
SILENT = packed(Access(), write=1, read=1)


class Bench:
    """Registers with random events in every cycle, and the numbers that they should hold."""

    def __init__(self, dut, idle="none"):
        self.waits, self.access = gaps(idle), 0
        self.dut, self.cycles, self.draw = dut, Cycles(dut), Random(7)
        self.machine = Machine.from_json(values()["machine"])
        self.near, self.full = self.machine.near, False
        # cycles from a write to the first that counts, and from a read to the first that does not;
        # events are a cycle later than the count of cycles where they have a register
        self.writes, self.reads, self.late = (0, 2, 0) if self.near else (4, 2, 1)
        self.leisure = leisure(self.machine) if self.near else 4
        self.events = []  # [cycle since the reset]{number: how many}
        self.cycles.drivers.append(self)
        self.fresh_start()

    def fresh_start(self):
        self.events.clear()
        counted = [n for n in COUNTED if self.machine.saturations or n not in SATURATIONS]
        self.cleared = dict.fromkeys((*counted, Register.CYCLES), 0)  # first cycle that counts
        self.words = dict.fromkeys(WRITABLE, 0)
        self.words |= {Register.APPLY_EVERY: 1, Register.OUTPUT_EVERY: 1}
        self.words |= dict(zip(sorted(READ_ONLY), described(self.machine), strict=True))

    def drive(self):
        passing = self.draw.getrandbits(Access().size) & ~SILENT
        self.dut.access.value, self.access = self.access or passing, 0
        most = (1 << EVENT_BITS) - 1
        many = most if self.full else self.draw.choice([0, 1, most])
        seen = {Register.CYCLES: 1}
        for number, port in COUNTED.items():
            top = many if number >= Register.SATURATED else 1
            top = min(many, 3) if number == Register.SATURATED_SUMS else top
            seen[number] = top if self.full else self.draw.randint(0, top)
            getattr(self.dut, port).value = seen[number]
        self.events.append(seen)

    def sample(self):
        if self.near:
            return
        assert int(self.dut.step.value) == self.words[Register.STEP] or self.moving
        assert int(self.dut.seed.value) == self.words[Register.SEED] or self.moving

    moving = False

    async def reset(self, count=3):
        await self.cycles.reset(count)
        self.fresh_start()
        if self.near:
            await self.cycles.until(lambda: int(self.dut.ready.value))

    async def bus(self, **fields):
        self.access = packed(Access(), **fields)
        await self.cycles.step()

    async def pause(self):
        await self.cycles.run(next(self.waits))

    async def write(self, region, number, word):
        await self.pause()
        now, self.moving = len(self.events), True
        await self.bus(write=1, region=region, index=number, data=word)
        await self.cycles.run(APART - 1 if self.near else self.writes - 1)
        self.moving = False
        if region == Region.REGISTERS and number in self.cleared:
            self.cleared[number] = now + self.writes - self.late * (number in COUNTED)
        elif region == Region.REGISTERS and number in WRITABLE:
            self.words[number] = word & (1 << WRITABLE[number]) - 1

    async def check(self, number):
        await self.pause()
        now = len(self.events)
        await self.bus(read=1, region=Region.REGISTERS, index=number)
        await self.cycles.run(reply_latency(self.near) - 1)
        expected = self.words.get(number, 0)
        if number in self.cleared:
            end = now + self.reads - self.late * (number in COUNTED)
            counted = self.events[self.cleared[number] : end]
            expected = sum(seen[number] for seen in counted)
        assert int(self.dut.reply.value) == expected, number
        await self.cycles.step()
        assert int(self.dut.reply.value) == 0
        if self.near:
            await self.cycles.run(APART - reply_latency(near=True))

    async def step(self, learns):
        """One step of a core; whether it applies."""
        words, dut = self.words, self.dut
        dut.learns.value = self.draw.randrange(2)
        await self.pause()
        dut.learns.value = 0
        await self.cycles.run(self.leisure)
        assert int(dut.fresh.value) == (words[Register.LEARNED] == 0)
        dut.learns.value = learns
        await self.cycles.run(self.leisure)
        learned = (words[Register.LEARNED] + learns) & 0xFFFFFFFF
        due = learned >= words[Register.APPLY_EVERY]
        assert int(dut.due.value) == due
        passed = (words[Register.OUTPUT_PASSED] + 1) & 0xFFFFFFFF
        sends = passed >= words[Register.OUTPUT_EVERY]
        assert int(dut.output_due.value) == sends
        assert int(dut.output_mode.value) == words[Register.OUTPUT_MODE]
        assert int(dut.output_shift.value) == words[Register.OUTPUT_SHIFT]
        dut.ended.value, self.moving = 1, True
        await self.cycles.step()
        dut.ended.value, self.moving = 0, False
        words[Register.STEP] = (words[Register.STEP] + 1) & 0xFFFFFFFF
        words[Register.LEARNED] = 0 if due else learned
        words[Register.OUTPUT_PASSED] = 0 if sends else passed
        if self.near:
            assert int(dut.fresh.value) == (words[Register.LEARNED] == 0)
        return due


async def any_accesses(dut, idle):
    """Registers that there are, and others, read and written at random."""
    bench, draw = Bench(dut, idle), Random(1)
    await bench.reset()
    for number in range(SIZE + 3):
        await bench.check(number)
    for _ in range(150):
        region = draw.choice([Region.REGISTERS, Region.REGISTERS, Region.PROGRAM, Region.PHI])
        await bench.write(region, draw.randrange(SIZE + 3), draw.getrandbits(DATA_BITS))
        for _ in range(3):
            await bench.check(draw.randrange(SIZE + 3))
    for number in range(SIZE):
        await bench.check(number)


async def any_steps(dut, idle):
    """Of which some learn."""
    bench, draw, applied = Bench(dut, idle), Random(2), 0
    await bench.reset()
    for every in (1, 2, 3, 7, 0xFFFFFFFF):
        await bench.write(Region.REGISTERS, Register.APPLY_EVERY, every)
        await bench.write(Region.REGISTERS, Register.OUTPUT_EVERY, (every + 1) & 0xFFFFFFFF)
        for _ in range(25):
            applied += await bench.step(draw.randrange(2))
        for number in WRITABLE:
            await bench.check(number)
    await bench.write(Region.REGISTERS, Register.STEP, 0xFFFFFFFF)
    await bench.write(Region.REGISTERS, Register.LEARNED, 0xFFFFFFFE)
    assert await bench.step(1)  # the last that fits
    assert not await bench.step(1)
    for number in WRITABLE:
        await bench.check(number)
    assert applied > 20


async def any_resets(dut):
    """All is as at first behind one."""
    bench, draw = Bench(dut), Random(3)
    await bench.reset()
    for _ in range(10):
        for number in WRITABLE:
            await bench.write(Region.REGISTERS, number, draw.getrandbits(32))
        await bench.step(1)
        await bench.reset(1)
        for number in range(SIZE):
            await bench.check(number)
