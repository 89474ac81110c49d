# SPDX-License-Identifier: Apache-2.0
"""The intake against plain loops: every write in order, every cycle accounted for, any stalls."""

from random import Random

import cocotb
import pytest

from antevolt.hdl.core.bundles import FLAGS_REGION, TARGET_REGION, Access
from antevolt.hdl.core.intake import Intake
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS, Flag, target_follows
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import Bias
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles, Source
from antevolt.sim.bench.timeline import unpacked

MACHINES = {
    "1x1": Machine(formats=Formats(word=16)),
    "3 streams": Machine(streams=3),
    "2x2 contexts": Machine(streams=2, contexts=2),
    "3x3 contexts": Machine(streams=3, contexts=3),
}
ONE = ("write", "region", "unit", "index", "data")
PUT_OUT = (1 << FLAG_BITS) - 1  # flags that outputs carry
LIMIT = 5000  # cycles in which any operation ends
SILENCE = 9  # cycles in which nothing may follow the last write


class Bench:
    """An intake, what it writes, and what is known of its streams' flags."""

    def __init__(self, dut, stall):
        self.dut, self.machine = dut, Machine.from_json(values()["machine"])
        self.word = self.machine.formats.word
        self.cycles, self.draw = Cycles(dut), Random(stall)
        self.x = Source(self.cycles, "x", stall, seed=1)
        self.y = Source(self.cycles, "y", stall, seed=2)
        self.cycles.drivers.append(self)
        self.writes, self.waiting, self.done, self.learns = [], 0, False, False
        self.flags = [None] * self.machine.total_streams  # unknown: a test may follow another

    def drive(self):
        self.dut.flags_index.value = self.index = self.draw.randrange(len(self.flags))

    def sample(self):
        access = unpacked(Access(), int(self.dut.access.value))
        assert not access["read"]
        if access["write"]:
            self.writes.append(tuple(access[name] for name in ONE[1:]))
        if int(self.dut.waiting.value):
            self.waiting += 1
            assert not int((self.y if self.target else self.x).valid.value)
        self.done = bool(int(self.dut.done.value))

    def words(self, count):
        return [self.draw.getrandbits(self.word) for _ in range(count)]

    def input(self, op):
        """Queue words; yields their writes and returns the cycles that they cost."""
        streams, cost = self.machine.streams, 0
        one = 1 << self.machine.formats.r.frac if op["bias"] == Bias.HIGH else 0
        for k in range(streams):
            own, words = self.draw.getrandbits(INPUT_FLAG_BITS), self.words(op["n"])
            self.flags[op["context"] * streams + k] = own
            self.learns |= own & Flag.VALID != 0 and own & Flag.LEARN != 0
            # flags count with the first word of a stream
            later = [own, *(self.draw.getrandbits(INPUT_FLAG_BITS) for _ in words)]
            self.x.send(word | bits << self.word for word, bits in zip(words, later, strict=False))
            yield FLAGS_REGION, k, op["context"], own & PUT_OUT
            for n, word in enumerate(words if own & Flag.VALID else ()):
                if op["keep"]:
                    yield Region.OUTPUT, k, op["kept"] + n, word
                if n % 2:
                    pair = words[n - 1] | word << self.word
                    yield Region.RATES, k, op["address"] + n // 2, pair
                elif n == op["n"] - 1:
                    yield Region.RATES, k, op["address"] + n // 2, word | one << self.word
            cost += 1 + op["n"] * (1 + op["keep"])
        return cost

    def targets(self, op):
        streams, cost = self.machine.streams, 0
        for k in range(streams):
            cost += 1
            if target_follows(self.flags[op["context"] * streams + k]):
                words = self.words(op["n"])
                self.y.send(words)
                cost += op["n"]
                yield from ((TARGET_REGION, k, op["address"] + n, w) for n, w in enumerate(words))
        return cost

    def begin(self, target, context):
        """Issue an operation; its writes, and the cycles that it takes when nothing waits."""
        draw, self.target = self.draw, target
        op = {"n": draw.randrange(1, 8), "address": draw.randrange(99), "context": context}
        op |= {
            "bias": draw.choice(list(Bias)),
            "keep": draw.randrange(2),
            "kept": draw.randrange(99),
        }
        for name, value in (op | {"target": target, "start": 1}).items():
            getattr(self.dut, name).value = int(value)
        expected, self.writes, self.waiting = [], [], 0
        steps = (self.targets if target else self.input)(op)
        while True:
            try:
                expected.append(next(steps))
            except StopIteration as end:
                return expected, end.value

    async def operation(self, target, context):
        expected, cost = self.begin(target, context)
        await self.cycles.step()
        self.dut.start.value = 0
        if target:  # the program may have gone on
            self.dut.n.value, self.dut.address.value = self.draw.randrange(99), 0
            self.dut.context.value, self.dut.target.value = 0, 0
            assert int(self.dut.taking.value)
        took = await self.cycles.until(lambda: self.done, LIMIT)
        assert took == cost + self.waiting
        await self.cycles.step()  # the last access comes a cycle after its word
        assert self.writes == expected
        assert not self.x.words
        assert not self.y.words
        assert int(self.dut.learns.value) == self.learns
        return self.waiting


@cocotb.test()
@cocotb.parametrize(stall=STALLS)
async def equals_the_loops(dut, stall):
    bench, waited = Bench(dut, stall), 0
    await bench.cycles.reset()
    for _ in range(15):
        dut.new_step.value, bench.learns, bench.target = 1, False, False
        await bench.cycles.step()
        dut.new_step.value = 0
        for target in (False, True):
            for context in range(bench.machine.contexts):
                waited += await bench.operation(target, context)
                for _ in range(bench.draw.choice([0, 1, 9])):
                    await bench.cycles.step()
                    assert not int(dut.x__ready.value)
                    assert not int(dut.y__ready.value)
                    assert not int(dut.taking.value)
                    known = bench.flags[bench.index]
                    assert known is None or known & PUT_OUT == int(dut.flags.value)
    assert (waited > 0) == (stall != "none")


@cocotb.test()
async def words_that_are_there_early(dut):
    """Those of the next operations stay where they are."""
    bench = Bench(dut, "none")
    await bench.cycles.reset()
    for _ in range(10):
        expected, cost = bench.begin(False, 0)
        extra = bench.words(9)
        bench.x.send(extra)
        bench.y.send(extra)
        await bench.cycles.step()
        dut.start.value = 0
        assert await bench.cycles.until(lambda: bench.done, LIMIT) == cost
        await bench.cycles.run(SILENCE)
        assert bench.writes == expected
        assert list(bench.x.words) == list(bench.y.words) == extra
        bench.x.clear()
        bench.y.clear()


@cocotb.test()
async def resets_in_mid_operation(dut):
    bench = Bench(dut, "random")
    await bench.cycles.reset()
    for number in range(40):
        bench.begin(number % 2 == 1, bench.draw.randrange(bench.machine.contexts))
        await bench.cycles.step()
        dut.start.value = 0
        await bench.cycles.run(bench.draw.randrange(20))
        await bench.cycles.reset(1)
        bench.learns = False
        bench.x.clear()
        bench.y.clear()
        await bench.cycles.step()
        assert not int(dut.learns.value)
        assert not int(dut.x__ready.value) | int(dut.y__ready.value) | int(dut.waiting.value)
        for target in (False, True):
            for context in range(bench.machine.contexts):
                await bench.operation(target, context)


@pytest.mark.parametrize("name", MACHINES)
def test_intake(bench, name):
    bench(Intake(MACHINES[name]), machine=MACHINES[name].to_json())
