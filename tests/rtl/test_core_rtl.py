# SPDX-License-Identifier: Apache-2.0
"""The core against the model: numbers, streams, accesses, reset, cycles."""

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.core import Core
from antevolt.hdl.core.ports import answer_latency
from antevolt.hdl.spec.flags import FLAG_BITS, Flag, target_follows
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.moments import Rule, knows
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile
from antevolt.host.targets import known_only
from antevolt.sim.bench.core import CoreBench, load_model
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS

SMALL = {"w_depth": 32, "r_depth": 32, "state_depth": 32, "q_depth": 16, "io_depth": 16}
SMALL |= {"program_depth": 64, "tables": 1, "phi_log2": 4}
MACHINES = {
    "1x1": Machine(**SMALL),
    "1x2, words of 12 bits": Machine(streams=2, spacing=7, formats=Formats(word=12), **SMALL),
    "1x1, near": Machine(
        spacing=16,
        near=True,
        traces=False,
        sums=False,
        softmax=False,
        formats=Formats(word=12),
        **SMALL,
    ),
    "2x2, near": Machine(
        rows=2, streams=2, tile_rows=2, tile_streams=2, spacing=12, near=True, **SMALL
    ),
    "2x3, carries sums on": Machine(rows=2, streams=3, multipliers=2, carry=True, **SMALL),
    "4x1, a neuron per cycle": Machine(rows=4, tile_rows=2, multipliers=5, paired=True, **SMALL),
    "6x1, a neuron per cycle": Machine(rows=6, tile_rows=3, multipliers=5, **SMALL),
    "2x2x2, paired": Machine(
        rows=2, streams=2, contexts=2, tile_rows=2, multipliers=5, paired=True, **SMALL
    ),
    "6x2, six rows share a lane, carries sums on": Machine(
        rows=6, streams=2, tile_rows=6, apply_rows=6, carry=True, **SMALL
    ),
    "4x2x2, two rows share a lane, carries sums on, paired": Machine(
        rows=4,
        streams=2,
        contexts=2,
        tile_rows=2,
        multipliers=3,
        carry=True,
        paired=True,
        apply_rows=2,
        **SMALL,
    ),
    "2x1, a moment": Machine(rows=2, moments=1, formats=Formats(word=12), **SMALL),
    "1x2x2, two moments": Machine(streams=2, contexts=2, multipliers=3, moments=2, **SMALL),
}
SCHEDULES = {
    "1x1": "sequential",
    "1x2, words of 12 bits": "sequential",
    "1x1, near": "sequential",
    "2x2, near": "parallel",
    "2x3, carries sums on": "parallel",
    "4x1, a neuron per cycle": "sequential",
    "6x1, a neuron per cycle": "parallel",
    "2x2x2, paired": "sequential",
    "6x2, six rows share a lane, carries sums on": "parallel",
    "4x2x2, two rows share a lane, carries sums on, paired": "sequential",
    "2x1, a moment": "sequential",
    "1x2x2, two moments": "parallel",
}
STEPS, INPUTS, OUTPUTS = 12, 2, 5
ONE = "equals_the_model/idle=3/pressure=2$"
EVERYTHING = Flag.VALID | Flag.TARGET_VALID | Flag.LEARN
LONG = 100  # cycles in which a step would begin
BEGUN = 2  # cycles from an answer taken to the step that waited for it
NO_INPUT, NO_TARGET = 300, 900  # cycles that the core is left waiting


def network(schedule="sequential", apply_every=1, optimizer="sgd"):
    return Network(
        INPUTS,
        (
            Population(3, "tanh", (1.0, 2.5, 4.0), (1.0, 1.0, 2.0), 0.2),
            Population(2, "tanh", 2.0, 1.5, 0.1, "instantaneous"),
            Population(OUTPUTS, "linear", 1.5, 1.0),
        ),
        beta=0.75,
        eta=0.25,
        schedule=schedule,
        apply_every=apply_every,
        optimizer=optimizer,
        momentum=0.75,
        seed=0x1234ABCD,
    )


class Case:
    """A core with a network and samples, and what the model makes of them."""

    def __init__(
        self,
        dut,
        idle="none",
        pressure="none",
        apply_every=1,
        steps=STEPS,
        flags=None,
        optimizer="sgd",
    ):
        machine = Machine.from_json(values()["machine"])
        self.net = network(values()["schedule"], apply_every, optimizer)
        self.image = compile(self.net, machine)
        self.weights = self.net.random_parameters(5, gain=3.0)
        self.bench = CoreBench(dut, machine, idle, pressure)
        draw = np.random.default_rng(apply_every)
        total, fmt = machine.total_streams, machine.formats.r
        self.x = fmt.to_raw(draw.normal(0, 2, (steps, total, INPUTS)))
        self.y = fmt.to_raw(draw.normal(0, 1, (steps, total, OUTPUTS)))
        bits = draw.random((steps, total, 5)) < (0.85, 0.2, 0.3, 0.8, 0.8)
        bits[-1, 0, 0] = False  # what is not valid changes nothing, to the end
        held = (draw.random((steps, total)) < 0.4) * int(Flag.TARGET_HELD)
        drawn = known_only(bits @ (1 << np.arange(5)) | held)
        self.flags = drawn if flags is None else np.full((steps, total), flags)
        self.model = load_model(self.image, self.weights)

    async def load(self):
        await self.bench.cycles.reset()
        await self.bench.load(self.image, self.weights)

    def send(self, steps):
        """Queue these steps; returns the number of words that answer them."""
        for n in steps:
            self.bench.send(self.flags[n], self.x[n], self.y[n])
        return len(steps) * self.flags.shape[1] * OUTPUTS

    def check_outputs(self, steps):
        got, flags = self.bench.outputs(OUTPUTS)
        expected = [self.model.step(self.flags[n], self.x[n], self.y[n]) for n in steps]
        assert got.tolist() == np.array(expected).tolist()
        wanted = self.flags[steps, :, None] & (1 << FLAG_BITS) - 1
        assert flags.tolist() == np.repeat(wanted, OUTPUTS, axis=2).tolist()

    async def check(self, steps=None):
        """All outputs and all memories."""
        steps = range(len(self.flags)) if steps is None else steps
        await self.bench.finish(self.send(steps))
        self.check_outputs(list(steps))
        assert not self.bench.x.words
        assert not self.bench.y.words
        assert await self.bench.differences(self.model) == []
        assert not self.bench.out.words


@cocotb.test()
@cocotb.parametrize(idle=STALLS, pressure=STALLS)
async def equals_the_model(dut, idle, pressure):
    case = Case(dut, idle, pressure)
    await case.load()
    await case.check()


@cocotb.test()
async def gradients_are_summed_over_steps(dut):
    case = Case(dut, "random", "random", apply_every=3, steps=8)
    await case.load()
    await case.check()


@cocotb.test()
@cocotb.parametrize(optimizer=["momentum_sum", "sign_sum"], apply_every=[1, 3])
async def sums_are_carried_on(dut, optimizer, apply_every):
    if not Machine.from_json(values()["machine"]).carry:
        return
    case = Case(dut, "random", "random", apply_every, flags=EVERYTHING, optimizer=optimizer)
    await case.load()
    await case.check(range(STEPS - STEPS % apply_every))
    left = case.model.memories.gradients  # no sum is 0 behind an APPLY but those without a weight
    assert np.count_nonzero(left) > case.net.weight_count / 2


@cocotb.test()
@cocotb.parametrize(optimizer=["momentum", "sign", "adam"], apply_every=[1, 3])
async def moments_are_kept(dut, optimizer, apply_every):
    """Their random bits are drawn for numbers of weights, which are narrow in a core as small."""
    machine = Machine.from_json(values()["machine"])
    if not knows(machine.moments, machine.carry, Rule[optimizer.upper()]):
        return
    case = Case(dut, "random", "random", apply_every, flags=EVERYTHING, optimizer=optimizer)
    await case.load()
    await case.check(range(STEPS - STEPS % apply_every))
    assert np.count_nonzero(case.model.memories.moments) > case.net.weight_count / 2


@cocotb.test()
async def everything_saturates_alike(dut):
    case = Case(dut, steps=6)
    r = case.image.machine.formats.r
    case.x, case.y = (np.where(n > 0, r.raw_max, r.raw_min) for n in (case.x, case.y))
    case.flags &= ~int(Flag.TARGET_HELD)  # every target is used
    case.weights = {name: np.sign(w) * 4.0 for name, w in case.weights.items()}
    case.model = load_model(case.image, case.weights)
    await case.load()
    await case.check()
    counters = case.model.read(Region.REGISTERS, 0, Register.SATURATED, 10)
    assert np.count_nonzero(counters) > 4


@cocotb.test()
async def reset_in_mid_step(dut):
    case = Case(dut)
    bench = case.bench
    await case.load()
    for after in (1, 17, 60, 111):
        case.send(range(1))
        await bench.cycles.until(lambda: int(dut.busy.value))
        await bench.cycles.run(after)
        assert int(dut.busy.value)
        bench.request(Region.STATE, 0, 0, 1)
        await bench.cycles.reset()
        for part in (bench.x, bench.y, bench.access, bench.out, bench.answer):
            part.clear()
        await bench.cycles.step()
        assert not int(dut.busy.value)
        assert not int(dut.out__valid.value)
        assert not int(dut.answer__valid.value)
        await bench.write(Region.REGISTERS, 0, Register.SEED, [after])
        assert await bench.register(Register.SEED) == after
    await bench.load(case.image, case.weights)
    await case.check()


@cocotb.test()
async def accesses_and_steps_take_turns(dut):
    """Requests at hand keep a step from starting; a step keeps requests waiting."""
    case = Case(dut)
    bench, cycles = case.bench, case.bench.cycles
    await case.load()
    for n in range(20):
        bench.request(Region.REGISTERS, 0, Register.STEP, None if n % 2 else 0)
    words = case.send(range(1))
    while bench.access.words:
        await cycles.step()
        assert not int(dut.busy.value)
        assert not int(dut.x__ready.value)
    await cycles.until(lambda: int(dut.busy.value))
    assert bench.answer.words == [0] * 10  # all were served before the step
    bench.request(Region.REGISTERS, 0, Register.STEP)
    while int(dut.busy.value):
        assert not int(dut.access__ready.value)
        assert bench.access.words
        await cycles.step()
    assert len(bench.answer.words) == 10
    await cycles.until(lambda: len(bench.answer.words) == 11)
    assert bench.answer.words[-1] == 1  # as it is after the step
    await bench.finish(words)
    case.check_outputs([0])
    assert await bench.differences(case.model) == []


@cocotb.test()
async def latencies_of_the_ports(dut):
    """As `docs/ports.md` says."""
    case = Case(dut)
    bench, cycles, latency = case.bench, case.bench.cycles, answer_latency(case.bench.machine)
    await case.load()
    await cycles.run(2 * latency)
    start = cycles.number
    await bench.write(Region.RATES, 0, 0, range(10))
    apart = latency + 1 if bench.machine.near else 2
    assert cycles.number - start == 9 * apart + 1
    start = cycles.number
    bench.request(Region.RATES, 0, 7)
    await cycles.until(lambda: not bench.access.words)
    assert cycles.number - start == 1 + latency
    start = cycles.number
    await cycles.until(lambda: bench.answer.words)
    assert cycles.number - start == latency + 1
    assert bench.answer.words == [7]
    bench.answer.open = False
    bench.request(Region.RATES, 0, 7)
    case.send(range(1))
    await cycles.run(LONG)
    assert not int(dut.busy.value)  # an answer that is not taken keeps the step waiting
    bench.answer.open = True
    await cycles.until(lambda: len(bench.answer.words) == 2)
    await cycles.run(BEGUN)
    assert int(dut.busy.value)
    await cycles.reset(1)
    assert not int(dut.busy.value)


@cocotb.test()
async def cycles_of_a_step(dut):
    """As the compiler counts them, when no stream ever waits."""
    case = Case(dut, apply_every=2, steps=6)
    bench, table = case.bench, case.image.timetable
    await case.load()
    applied = set()
    for n in range(6):
        await bench.write(Region.REGISTERS, 0, Register.BUSY, [0])
        learned = case.model.read(Region.REGISTERS, 0, Register.LEARNED, 1)[0]
        learns = (case.flags[n] & Flag.VALID != 0) & (case.flags[n] & Flag.LEARN != 0)
        targets = target_follows(case.flags[n])
        applies = bool(learned + learns.any() >= 2)
        applied.add(applies)
        words, busy = case.send(range(n, n + 1)), 0
        await bench.cycles.until(lambda: int(dut.busy.value))
        while int(dut.busy.value):
            busy += 1
            await bench.cycles.step()
        await bench.finish(words)
        case.check_outputs([n])
        assert busy == table.cycles(int(targets.sum()), applies) - 1
        assert await bench.register(Register.BUSY) == busy
        for counter in (Register.STALLED_INPUT, Register.STALLED_OUTPUT):
            assert await bench.register(counter) == 0
    assert applied == {True, False}


@cocotb.test()
async def an_input_that_does_not_come(dut):
    """The core waits inside the step, for targets where it needs them, counts, and goes on."""
    case = Case(dut, flags=EVERYTHING)
    bench, cycles = case.bench, case.bench.cycles
    await case.load()
    words = case.send(range(1))
    kept, held = bench.x.words.pop(), bench.y.words.pop()
    await cycles.until(lambda: not bench.x.words)
    await cycles.run(NO_INPUT)
    assert int(dut.busy.value)
    assert int(dut.x__ready.value)
    bench.x.send([kept])
    while bench.x.words:
        await cycles.step()
    await cycles.until(lambda: not bench.y.words)
    await cycles.run(NO_TARGET)
    assert int(dut.busy.value)
    assert int(dut.y__ready.value)
    bench.y.send([held])
    await bench.finish(words)
    case.check_outputs([0])
    stalled = await bench.register(Register.STALLED_INPUT)
    assert 600 < stalled < 1205
    assert await bench.register(Register.BUSY) - stalled == case.image.timetable.cycles_learning - 1
    assert await bench.differences(case.model) == []


@cocotb.test()
async def an_output_that_is_not_taken(dut):
    """The core waits inside the step when its buffer is full, and no word is lost."""
    case = Case(dut, flags=EVERYTHING, steps=40)
    bench = case.bench
    await case.load()
    bench.out.open = False
    words = case.send(range(40))
    await bench.cycles.run(40 * case.image.timetable.cycles_learning)
    assert int(dut.busy.value)
    bench.out.open = True
    await bench.finish(words)
    case.check_outputs(list(range(40)))
    stalled = await bench.register(Register.STALLED_OUTPUT)
    assert stalled > 100
    assert await bench.register(Register.STALLED_INPUT) == 0
    cycles = 40 * (case.image.timetable.cycles_learning - 1)
    assert await bench.register(Register.BUSY) - stalled == cycles
    assert await bench.differences(case.model) == []


@cocotb.test()
@cocotb.parametrize(pressure=STALLS)
async def every_cycle_is_counted(dut, pressure):
    """As one of the timetable, or as one that some stream takes."""
    case = Case(dut, "random", pressure, flags=EVERYTHING, steps=8)
    bench = case.bench
    await case.load()
    await bench.write(Region.REGISTERS, 0, Register.STALLED_INPUT, [0, 0])
    await bench.finish(case.send(range(8)))
    case.check_outputs(list(range(8)))
    stalled = await bench.read(Region.REGISTERS, 0, Register.STALLED_INPUT, 2)
    cycles = 8 * (case.image.timetable.cycles_learning - 1)
    assert await bench.register(Register.BUSY) - sum(stalled) == cycles


@pytest.mark.parametrize("name", MACHINES)
def test_core(bench, name):
    machine = MACHINES[name]
    only = "" if bench.simulator == "verilator" else ONE  # others are slow
    bench(Core(machine), only, machine=machine.to_json(), schedule=SCHEDULES[name])
