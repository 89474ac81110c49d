# SPDX-License-Identifier: Apache-2.0
"""The core as a model: one trajectory on every machine, what the flags do, what is refused."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.hdl.spec.program import CHUNKS, STRIDE, Kind
from antevolt.host.compile import compile
from antevolt.host.effects import written
from antevolt.host.loading import load
from antevolt.sim.golden.core import GoldenCore
from antevolt.sim.golden.reference import FloatNetwork

SCHEDULES = ("sequential", "parallel")
ALL = Flag.VALID | Flag.TARGET_VALID | Flag.LEARN
DERIVED = [Region.STATE, Region.PARTNER, Region.Q, Region.OUTPUT, Region.RATES]


def network(schedule="sequential", **changes):
    populations = (
        Population(5, "tanh", tau_m=(4.0, 2.0, 1.0, 3.0, 5.0), tau_r=1.5, gamma=0.25),
        Population(4, "linear", tau_m=1.0, tau_r=3.0),
        Population(3, "softplus", tau_m=2.0, tau_r=2.0),
    )
    constants = {"eta": 2.0**-4, "seed": 9, "beta": 0.75, **changes}
    return Network(2, populations, schedule=schedule, **constants)


def machine(rows=1, streams=1, contexts=1, word=18):
    return Machine(
        rows=rows,
        streams=streams,
        contexts=contexts,
        formats=Formats(word),
        phi_log2=Formats(word).phi_log2,
        w_depth=64,
        r_depth=64,
        state_depth=64,
        io_depth=16,
    )


class Loaded:
    """A core with a network in it."""

    def __init__(self, net, m, gain=1.0):
        self.image, self.machine = compile(net, m), m
        self.core = GoldenCore(m)
        load(self.core, self.image, net.random_parameters(1, gain))

    def weights(self):
        banks = [
            self.core.read(Region.WEIGHTS, row, 0, self.machine.w_depth)
            for row in range(self.machine.rows)
        ]
        return self.image.layout.unpack_weights(np.array(banks))

    def run(self, flags, x, y):
        return np.array([self.core.step(*each) for each in zip(flags, x, y, strict=True)])

    def register(self, number):
        return int(self.core.read(Region.REGISTERS, 0, number, 1)[0])

    def saturated(self):
        return self.core.read(Region.REGISTERS, 0, Register.SATURATED, len(KINDS)).tolist()

    def memories(self, regions):
        return {
            (region, unit): self.core.read(region, unit, 0, size(self.machine, region)[1]).tolist()
            for region in regions
            for unit in range(size(self.machine, region)[0])
        }


def samples(streams, steps, word, seed=2, scale=1.0):
    """Flags of all kinds, inputs and targets in format r."""
    rng, one = np.random.default_rng(seed), 1 << Formats(word).r.frac
    chances = ((Flag.VALID, 0.8), (Flag.FIRST, 0.15), (Flag.TARGET_VALID, 0.8), (Flag.LEARN, 0.7))
    flags = np.zeros((steps, streams), dtype=np.int64)
    for flag, chance in chances:
        flags |= np.where(rng.random((steps, streams)) < chance, int(flag), 0)
    x, y = (
        np.floor(rng.uniform(-scale, scale, (steps, streams, n)) * one).astype(np.int64)
        for n in (2, 3)
    )
    return flags, x, y


def same_weights(a, b):
    return all((a[name] == b[name]).all() for name in a)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("word", [18, 16, 12, 8])
@pytest.mark.parametrize("apply_every", [1, 3])
@pytest.mark.parametrize(
    "shapes", [((1, 1, 1), (3, 1, 1), (4, 1, 1)), ((1, 8, 1), (3, 8, 1), (2, 4, 2))]
)
def test_trajectory_depends_on_no_shape(schedule, word, apply_every, shapes):
    net = network(schedule, apply_every=apply_every)
    data = samples(shapes[0][1] * shapes[0][2], 40, word, scale=4.0)  # enough to saturate
    outs, ends = [], []
    for shape in shapes:
        loaded = Loaded(net, machine(*shape, word=word), gain=3.0)
        outs.append(loaded.run(*data))
        ends.append((loaded.weights(), loaded.saturated()))
    assert not same_weights(ends[0][0], Loaded(net, machine(), gain=3.0).weights())
    assert sum(ends[0][1]) > 0
    for out, (weights, saturated) in zip(outs[1:], ends[1:], strict=True):
        assert (out == outs[0]).all()
        assert same_weights(weights, ends[0][0])
        assert saturated == ends[0][1]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum_sum", "sign_sum"])
@pytest.mark.parametrize("apply_every", [1, 3])
def test_trajectory_does_not_depend_on_lanes(optimizer, apply_every):
    net = network(apply_every=apply_every, optimizer=optimizer, momentum=0.75)
    data = samples(2, 40, 18, scale=4.0)
    outs, ends = [], []
    for shared in (1, 2, 3, 6):
        own = replace(machine(6, 2), tile_rows=6, apply_rows=shared, carry=optimizer != "sgd")
        loaded = Loaded(net, own, gain=3.0)
        outs.append(loaded.run(*data))
        left = loaded.memories([Region.WEIGHTS, Region.GRADIENTS])
        ends.append((left, loaded.saturated()))
    assert not same_weights(loaded.weights(), Loaded(net, own, gain=3.0).weights())
    for out, end in zip(outs[1:], ends[1:], strict=True):
        assert (out == outs[0]).all()
        assert end == ends[0]


@pytest.mark.parametrize("shared", [1, 3])
def test_an_apply_writes_what_is_said_of_it(shared):
    """Nothing else, and some of it; with rows that share a lane, nothing of the others."""
    net = network(optimizer="sign_sum", momentum=0.75)
    loaded = Loaded(net, replace(machine(6), tile_rows=6, apply_rows=shared, carry=True))
    regions, found = [Region.WEIGHTS, Region.GRADIENTS], []

    def look(op, core):
        now = {
            region: np.array([core.read(region, row, 0, size(core.machine, region)[1])
                              for row in range(6)])
            for region in regions
        }  # fmt: skip
        found.append((op, now))

    loaded.core.observer = look
    loaded.run(*(each[:1] for each in (np.full((1, 1), ALL), *samples(1, 1, 18, scale=4.0)[1:])))
    for (_, before), (op, after) in pairwise(found):
        if op.kind != Kind.APPLY:
            continue
        changed = {region: before[region] != after[region] for region in regions}
        assert changed[Region.WEIGHTS].any()
        for effect in written(op, loaded.machine):
            changed[effect.region][effect.first :: effect.every, effect.index] = False
        assert not any(left.any() for left in changed.values())


def test_an_apply_of_rows_that_there_are_not_is_refused():
    loaded = Loaded(network(), replace(machine(4), tile_rows=2, apply_rows=2))
    at = next(n for n, op in enumerate(loaded.image.operations) if op.kind == Kind.APPLY)
    wrong = replace(loaded.image.operations[at], skip=2)
    loaded.core.write(Region.PROGRAM, 0, STRIDE * at, wrong.encode())
    with pytest.raises(BadInput, match=r"has skip 2; with apply_rows 2 it is 0\.\.1"):
        loaded.run(*samples(1, 1, 18))


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 2), (2, 3, 1)])
def test_what_is_not_valid_is_frozen(schedule, shape):
    loaded = Loaded(network(schedule), machine(*shape))
    streams = shape[1] * shape[2]
    flags, x, y = samples(streams, 6, 18)
    loaded.run(flags | Flag.VALID, x, y)
    regions = [*DERIVED, Region.WEIGHTS, Region.GRADIENTS]
    before, counted = loaded.memories(regions), loaded.saturated()
    everything = np.full(streams, ALL | Flag.FIRST) & ~int(Flag.VALID)
    loaded.core.step(everything, 7 * x[0] + 1, y[0] - 3)
    after = loaded.memories(regions)
    assert {k: v for k, v in after.items() if k[0] != Region.GRADIENTS} == {
        k: v for k, v in before.items() if k[0] != Region.GRADIENTS
    }
    assert loaded.saturated() == counted


def test_output_of_a_frozen_stream_stays():
    """In the parallel schedule `first` clears the output of the step before: of valid streams."""
    flags, x, y = samples(2, 6, 18)
    loaded = Loaded(network("parallel"), machine(streams=2))
    loaded.run((flags | ALL) & ~int(Flag.FIRST), x, y)
    last = [loaded.core.read(Region.OUTPUT, k, 0, 3).tolist() for k in range(2)]
    out = loaded.core.step([int(Flag.FIRST), int(ALL | Flag.FIRST)], x[0], y[0])
    assert (out[0] & (1 << 18) - 1).tolist() == last[0]
    assert any(last[0])
    assert any(last[1])
    assert not out[1].any()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_pause_changes_nothing(schedule):
    """A frozen stream goes on as if the steps in between had not been."""
    flags, x, y = samples(2, 12, 18)
    flags = (flags | Flag.VALID) & ~int(Flag.LEARN)
    steady = Loaded(network(schedule), machine(streams=2))
    whole = steady.run(flags, x, y)
    pausing, outs = Loaded(network(schedule), machine(streams=2)), []
    for n in range(12):
        frozen = flags[n].copy()
        frozen[1] &= ~int(Flag.VALID)
        pausing.core.step(frozen, x[n], y[n])
        frozen = flags[n].copy()
        frozen[0] &= ~int(Flag.VALID)
        outs.append(pausing.core.step(frozen, x[n], y[n])[1])
    assert (np.array(outs) == whole[:, 1]).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 1), (1, 1, 2)])
def test_first_starts_like_a_fresh_core(schedule, shape):
    streams = shape[1] * shape[2]
    flags, x, y = samples(streams, 16, 18)
    flags = (flags | Flag.VALID) & ~int(Flag.LEARN | Flag.FIRST)
    used, fresh = (Loaded(network(schedule), machine(*shape)) for _ in range(2))
    used.run(flags[:8], x[:8], y[:8])
    flags[8] |= Flag.FIRST
    assert (used.run(flags[8:], x[8:], y[8:]) == fresh.run(flags[8:], x[8:], y[8:])).all()
    regions = [Region.STATE, Region.PARTNER, Region.OUTPUT, Region.RATES]
    assert used.memories(regions) == fresh.memories(regions)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 3, 1)])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_learning_takes_nothing_from_the_state(schedule, shape):
    """With frozen weights, a step that learns and one that does not leave the same state."""
    streams = shape[1] * shape[2]
    flags, x, y = samples(streams, 10, 18)
    learning, plain = (Loaded(network(schedule, apply_every=1000), machine(*shape)) for _ in "ab")
    learning.run(flags | Flag.LEARN, x, y)
    plain.run(flags & ~int(Flag.LEARN), x, y)
    assert learning.memories(DERIVED) == plain.memories(DERIVED)
    assert learning.memories([Region.GRADIENTS]) != plain.memories([Region.GRADIENTS])


def test_learn_gates_each_stream():
    """G of two streams of which one learns is G of that one alone."""
    flags, x, y = samples(2, 8, 18)
    flags = (flags | ALL) & ~int(Flag.FIRST)
    net = network(apply_every=1000)
    both, one = Loaded(net, machine(streams=2)), Loaded(net, machine())
    gated = flags.copy()
    gated[:, 1] &= ~int(Flag.LEARN)
    both.run(gated, x, y)
    one.run(flags[:, :1], x[:, :1], y[:, :1])
    assert both.memories([Region.GRADIENTS]) == one.memories([Region.GRADIENTS])
    assert any(one.memories([Region.GRADIENTS])[Region.GRADIENTS, 0])
    none = Loaded(network(), machine(streams=2))
    before = none.weights()
    none.run(flags & ~int(Flag.LEARN), x, y)
    assert same_weights(none.weights(), before)
    assert none.register(Register.LEARNED) == 0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_a_target_there_is_no_error(schedule):
    flags, x, y = samples(2, 8, 18)
    loaded = Loaded(network(schedule), machine(streams=2))
    before = loaded.weights()
    loaded.run((flags | ALL) & ~int(Flag.TARGET_VALID), x, y)
    assert same_weights(loaded.weights(), before)
    twin = Loaded(network(schedule), machine(streams=2))
    flags |= ALL
    flags[3:, 0] &= ~int(Flag.TARGET_VALID)
    y_other = y.copy()
    y_other[3:, 0] += 999
    loaded = Loaded(network(schedule), machine(streams=2))
    assert (loaded.run(flags, x, y) == twin.run(flags, x, y_other)).all()
    assert loaded.memories(DERIVED) == twin.memories(DERIVED)
    assert not same_weights(loaded.weights(), before)


def test_apply_every_counts_learning_steps():
    flags, x, y = samples(1, 7, 18)
    flags |= ALL
    flags[2] &= ~int(Flag.LEARN)
    loaded = Loaded(network(apply_every=3), machine())
    learned, changed, weights = [], [], loaded.weights()
    for each in zip(flags, x, y, strict=True):
        loaded.core.step(*each)
        learned.append(loaded.register(Register.LEARNED))
        changed.append(not same_weights(loaded.weights(), weights))
        weights = loaded.weights()
    assert learned == [1, 2, 2, 0, 1, 2, 0]
    assert changed == [False, False, False, True, False, False, True]
    assert loaded.register(Register.STEP) == 7


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("apply_every", [1, 4])
def test_close_to_the_float_step(schedule, apply_every):
    """What the words lose stays small; a wrong sign, a factor of 2 or a flag ignored does not."""
    steps, streams, f = 40, 3, Formats()
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-1, 1, (steps, streams, 2)), rng.uniform(-0.5, 1, (steps, streams, 3))
    flagged = {
        name: rng.random((steps, streams)) < chance
        for name, chance in (("valid", 0.9), ("first", 0.2), ("target_valid", 0.8), ("learn", 0.8))
    }
    flags = sum(np.where(on, int(Flag[name.upper()]), 0) for name, on in flagged.items())
    net = network(schedule, apply_every=apply_every)
    loaded = Loaded(net, machine(rows=2, streams=streams))
    start = loaded.weights()
    exact = FloatNetwork(net, start, streams=streams)
    out = f.r.to_real(loaded.run(flags, f.r.to_raw(x), f.r.to_raw(y)))
    alive = flagged["valid"]
    assert np.abs(out - exact.run(x, y, **flagged).out)[alive].max() < 0.01
    changes = 0.0
    for name, weight in loaded.weights().items():
        assert np.abs(weight - exact.parameters[name]).max() < 0.01
        changes = max(changes, np.abs(weight - start[name]).max())
    assert changes > 0.1  # it learned far more than it may differ


def test_words_come_back_as_written():
    m = machine(rows=2, streams=3)
    core, rng = GoldenCore(m), np.random.default_rng(0)
    bits = {
        Region.PROGRAM: 36, Region.WEIGHTS: 36, Region.GRADIENTS: 36, Region.COEFFICIENTS: 24,
        Region.RATES: 36, Region.STATE: 28, Region.PARTNER: 18, Region.Q: 18, Region.OUTPUT: 18,
        Region.PHI: 36,
    }  # fmt: skip
    written = {}
    for region, width in bits.items():
        units, words = size(m, region)
        for unit in range(units):
            data = rng.integers(0, 1 << width, words)
            if region == Region.COEFFICIENTS:
                data[3::4] = 0  # there are three per neuron and mode
            if region == Region.PROGRAM:
                data[np.arange(words) % STRIDE >= CHUNKS] = 0
            core.write(region, unit, 0, data)
            written[region, unit] = data
    for (region, unit), data in written.items():
        assert (core.read(region, unit, 0, len(data)) == data).all()
        assert core.read(region, unit, 5, 3).tolist() == data[5:8].tolist()
    core.write(Region.STATE, 1, 3, [-1, -2])
    assert core.read(Region.STATE, 1, 3, 2).tolist() == [(1 << 28) - 1, (1 << 28) - 2]
    core.write(Region.WEIGHTS, 1, 2, [3 << 18 | (1 << 18) - 1])
    assert core.read(Region.WEIGHTS, 1, 2, 1).tolist() == [3 << 18 | (1 << 18) - 1]


@pytest.mark.parametrize("paired", [False, True])
def test_counters_are_cleared_by_any_write(paired):
    flags, x, y = samples(2, 3, 18, scale=4.0)
    loaded = Loaded(network(), replace(machine(streams=2), paired=paired), gain=3.0)
    loaded.run(flags | ALL, x, y)
    sweeps = [op for op in loaded.image.operations if op.kind in (Kind.FORWARD, Kind.BACK)]
    pairs = [paired and op.kind == Kind.BACK and not op.q for op in sweeps]
    assert any(pairs) == paired
    slots = sum(
        ((op.words + 1) // 2 if pair else op.words) * op.groups
        for op, pair in zip(sweeps, pairs, strict=True)
    )
    assert loaded.register(Register.SLOTS) == 3 * slots
    assert loaded.register(Register.CYCLES) == 0
    first = Register.SLOTS
    loaded.core.write(Region.REGISTERS, 0, first, np.full(Register.SATURATED + 10 - first, 77))
    assert loaded.register(Register.SLOTS) == 0
    assert loaded.saturated() == [0] * len(KINDS)
    loaded.core.write(Region.REGISTERS, 0, Register.SEED, [(1 << 33) + 5])
    assert loaded.register(Register.SEED) == 5


def test_observer_sees_every_operation():
    loaded, seen = Loaded(network(), machine()), []
    loaded.core.observer = lambda op, core: seen.append((op, core is loaded.core))
    flags, x, y = samples(1, 1, 18)
    loaded.run(flags, x, y)
    assert seen == [(op, True) for op in loaded.image.operations]


def test_a_new_load_is_a_new_program():
    """Nothing of program, tables, coefficients or weights that was replaced lives on."""
    flags, x, y = samples(1, 10, 18)
    flags |= ALL
    old, fresh = Loaded(network(), machine()), None
    old.run(flags, x, y)
    fresh = Loaded(network("parallel", beta=0.3, seed=4), machine())
    for words in fresh.image.words:
        old.core.write(*words)
    old.core.write(Region.WEIGHTS, 0, 0, fresh.core.read(Region.WEIGHTS, 0, 0, 64))
    assert (old.run(flags, x, y) == fresh.run(flags, x, y)).all()
    assert same_weights(old.weights(), fresh.weights())


@pytest.mark.parametrize(
    ("region", "unit", "index", "count"),
    [
        (Region.WEIGHTS, 2, 0, 1),
        (Region.WEIGHTS, -1, 0, 1),
        (Region.WEIGHTS, 0, 64, 1),
        (Region.WEIGHTS, 0, 60, 5),
        (Region.STATE, 0, -1, 1),
        (Region.STATE, 3, 0, 1),
        (Region.PROGRAM, 1, 0, 1),
        (Region.REGISTERS, 0, 38, 1),
        (Region.PHI, 0, 2 * 2 << 8, 1),
    ],
)
def test_words_that_are_not_there_are_refused(region, unit, index, count):
    core = GoldenCore(machine(rows=2, streams=3))
    with pytest.raises(BadInput, match=region.name):
        core.read(region, unit, index, count)
    with pytest.raises(BadInput, match=region.name):
        core.write(region, unit, index, np.zeros(count, dtype=np.int64))


def test_wrong_inputs_are_refused():
    loaded = Loaded(network(), machine(streams=2))
    flags, x, y = (a[0] for a in samples(2, 1, 18))
    for wrong in (
        (flags[:1], x, y),
        (flags, x[:, :1], y),
        (flags, x, y[:1]),
        (flags, x + (1 << 18), y),
        (flags | ALL, x, y - (1 << 18)),
    ):
        with pytest.raises(BadInput):
            loaded.core.step(*wrong)
    assert loaded.register(Register.STEP) == 0


def test_a_program_of_noise_is_refused():
    core = GoldenCore(machine())
    core.write(Region.PROGRAM, 0, 0, np.full(4 * 128, (1 << 36) - 1))
    with pytest.raises(BadInput):
        core.step([1], np.zeros((1, 2), dtype=np.int64), np.zeros((1, 3), dtype=np.int64))
