# SPDX-License-Identifier: Apache-2.0
"""The order of frames at the parser against the model: any numbers, at any time."""

from random import Random

import cocotb

from antevolt.hdl.io.gap import SETTLED, Gap
from antevolt.hdl.spec.link import GAP_MOST
from antevolt.sim.bench.streams import Cycles
from order import HALF, UNTIL, WHOLE, Model


class Bench:
    def __init__(self, dut, first):
        self.dut, self.cycles, self.model = dut, Cycles(dut), Model(first)
        self.pulses = []

    async def start(self):
        await self.cycles.reset()
        self.dut.sequence.value = self.model.expected
        await self.pulse("restart")

    async def pulse(self, name):
        getattr(self.dut, name).value = 1
        await self.cycles.step()
        getattr(self.dut, name).value = 0

    async def arrives(self, ahead, free=1):
        """A frame so far ahead of the expected one; its verdict."""
        dut, model, number = self.dut, self.model, (self.model.expected + ahead) % WHOLE
        dut.sequence.value, dut.free.value = number, free
        await self.cycles.run(SETTLED)
        verdict = model.verdict(number, free)
        assert int(dut.known.value) == (verdict == "known")
        assert int(dut.strange.value) == (verdict == "strange")
        if verdict != "kept":
            return verdict
        assert int(dut.ahead.value) == (ahead != 0)
        gap, last = model.missing > 0, model.missing == 1
        model.keep(number)
        dut.commit.value = 1
        await self.cycles.step()
        dut.commit.value = 0
        await self.cycles.run(SETTLED)
        self.pulses.append((gap, last, ahead))
        state = tuple(int(getattr(dut, name).value) for name in ("expected", "missing", "until"))
        assert state == (model.expected, model.missing, model.until)
        return verdict


class Pulses:
    """What is said with a commit."""

    def __init__(self, bench):
        self.dut, self.seen = bench.dut, []
        bench.cycles.drivers.append(self)

    def drive(self):
        pass

    def sample(self):
        said = tuple(int(getattr(self.dut, n).value) for n in ("opens", "fills", "closes"))
        if int(self.dut.commit.value):
            self.seen.append(said)
        else:
            assert said == (0, 0, 0)


@cocotb.test()
@cocotb.parametrize(part=[0, 1, 2])
async def equals_the_model(dut, part):
    bench, draw = Bench(dut, 0xFFE0), Random(part)
    pulses = Pulses(bench)
    await bench.start()
    found = set()
    for _ in range(1500):
        model, what = bench.model, draw.random()
        edges = (0, 1, model.missing, model.until - 1, model.until, model.until + 1)
        ahead = draw.choice(edges) if what < 0.9 else draw.choice((draw.randrange(WHOLE), HALF, -1))
        found.add(await bench.arrives(ahead, int(draw.random() < 0.5)))
    assert found == {"known", "strange", "kept"}
    expected = [
        (int(not gap and ahead != 0), int(gap and ahead == 0), int(gap and last and ahead == 0))
        for gap, last, ahead in bench.pulses
    ]
    assert pulses.seen == expected
    assert sum(closes for _, _, closes in expected) > 10


@cocotb.test()
async def a_gap_has_bounds(dut):
    """Of frames missing, and of frames up to the end of those kept."""
    bench = Bench(dut, 0)
    await bench.start()
    assert await bench.arrives(GAP_MOST) == "strange"
    assert await bench.arrives(GAP_MOST - 1) == "kept"
    for ahead in range(GAP_MOST, UNTIL):
        assert await bench.arrives(ahead) == "kept"
    assert await bench.arrives(UNTIL) == "strange"


@cocotb.test()
async def nothing_is_kept(dut):
    """Where it goes back."""
    bench = Bench(dut, 9)
    await bench.start()
    for ahead in (1, 2, GAP_MOST - 1):
        assert await bench.arrives(ahead, free=0) == "strange"
    for ahead, verdict in ((0, "kept"), (-1, "known"), (0, "kept")):
        assert await bench.arrives(ahead) == verdict


def test_gap(bench):
    bench(Gap(selective=True), only="equals|bounds")


def test_gap_of_a_board_that_goes_back(bench):
    bench(Gap(selective=False), only="nothing")
