# SPDX-License-Identifier: Apache-2.0
"""The compiled model against the numpy model: every word of every memory, every register."""

from dataclasses import replace

import numpy as np
import pytest
from graphs import GRAPHS

from antevolt.hdl.spec.errors import BadInput, BuildFailed
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.network import Network, Population
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.host.campaign import stress_network
from antevolt.host.compile import compile
from antevolt.host.random_samples import random_batch, random_network, weights
from antevolt.host.samples import Sizes
from antevolt.sim.golden import compiled, library
from antevolt.sim.golden.compiled import CompiledCore, make_core
from antevolt.sim.golden.core import GoldenCore

CHAIN = Network(
    3,
    (
        Population(5, "tanh", (2.0, 2.0, 2.0, 1.0, 1.0), 1.0, 0.1),
        Population(3, "linear"),
    ),
)
NETWORKS = {name: net.with_(eta=2.0**-6) for name, net in {"chain": CHAIN, **GRAPHS}.items()}
DEPTHS = {"w_depth": 256, "r_depth": 256, "state_depth": 256, "program_depth": 512, "tables": 4}
WIDER = {"w_depth": 512, "r_depth": 256, "state_depth": 512, "io_depth": 128, "program_depth": 1024}
MACHINES = {
    "18": Machine(rows=2, streams=2, q_depth=64, **DEPTHS),
    "16, contexts": Machine(
        rows=3, streams=2, contexts=2, filters=2, multipliers=2, tile_rows=2,
        q_depth=64, formats=Formats(16), **DEPTHS | WIDER,
    ),
    "12": Machine(rows=2, streams=3, q_depth=64, formats=Formats(12), **DEPTHS),
    "8": Machine(rows=2, phi_log2=6, formats=Formats(8), **DEPTHS),
    "one stream": Machine(rows=3, **DEPTHS),
    "nine streams": Machine(streams=9, **DEPTHS | {"w_depth": 512}),
    "rows share a lane": Machine(rows=4, tile_rows=2, apply_rows=2, **DEPTHS),
    "columns in pairs": Machine(rows=2, streams=2, paired=True, **DEPTHS),
}  # fmt: skip

STEPS = 200
SCHEDULED = [
    (name, schedule)
    for name, net in NETWORKS.items()
    for schedule in ("sequential", "parallel")
    if schedule == "sequential" or net.tau_z is None  # leaky logits are in this one only
]
ARRAYS = (
    *compiled.ARRAYS,
    "moments",
    "d",
    "times",
    "program",
    "mantissa",
    "shift",
    "phi",
    "largest",
    "total",
)


def both(net, machine, seed=1, profile="normal"):
    image, parameters = compile(net, machine), weights(net, seed, profile)
    banks, _ = image.layout.pack_weights(parameters)
    cores = GoldenCore(machine), CompiledCore(machine)
    for core in cores:
        for words in image.words:
            core.write(*words)
        for row, words in enumerate(banks):
            core.write(Region.WEIGHTS, row, 0, words)
    return cores


def samples(net, machine, steps, seed=2, profile="normal"):
    sizes = Sizes(machine.total_streams, net.inputs, net.outputs, machine.formats)
    return random_batch(sizes, steps, seed, profile)


def same(cores):
    a, b = (core.memories for core in cores)
    for name in ARRAYS:
        assert (getattr(a, name) == getattr(b, name)).all(), name
    assert a.registers == b.registers


def run_both(cores, batch, parts=(1, 1, 2, 60)):
    """Random flags as they come, then calm stretches: what the C does for those is another way."""
    changed, start = cores[0].memories.weights.copy(), 0
    parts = [*parts, batch.steps - sum(parts)]
    for number, count in enumerate(parts):
        flags = batch.flags[start : start + count].copy()
        if number == 3:
            flags |= Flag.VALID | Flag.TARGET_VALID
            flags &= ~int(Flag.FIRST)
        given = flags, batch.x[start : start + count], batch.y[start : start + count]
        (out_a, applied_a), (out_b, applied_b) = (core.steps(*given) for core in cores)
        assert (out_a == out_b).all()
        assert (applied_a == applied_b).all()
        same(cores)
        start += count
    assert cores[1]._compiled() is not None
    assert (cores[0].memories.weights != changed).any()


@pytest.mark.parametrize("shape", MACHINES)
@pytest.mark.parametrize(("name", "schedule"), SCHEDULED)
def test_every_kind_of_network(name, shape, schedule):
    net = NETWORKS[name].with_(schedule=schedule, apply_every=3 if shape == "one stream" else 1)
    machine = MACHINES[shape]
    run_both(both(net, machine), samples(net, machine, STEPS))


@pytest.mark.parametrize("seed", range(12))
def test_random_networks(seed):
    rng = np.random.default_rng(seed)
    net = random_network(rng)
    streams, contexts = [(1, 1), (1, 3), (3, 1), (8, 1), (16, 1), (5, 2)][seed % 6]
    machine = Machine(
        rows=int(rng.integers(1, 5)),
        streams=streams,
        contexts=contexts,
        formats=(f := Formats(int(rng.choice([16, 18])) - 4 * (seed % 3))),
        phi_log2=f.phi_log2,
        tables=4,
        w_depth=1024,
        r_depth=1024,
        state_depth=1024,
        io_depth=128,
        program_depth=1024,
    )
    run_both(both(net, machine), samples(net, machine, STEPS, seed))


@pytest.mark.parametrize("seed", range(6))
def test_rules_of_other_optimizers(seed):
    net = random_network(np.random.default_rng(seed), moments=2)
    machine = Machine(
        rows=2, streams=1 + seed, moments=2, tables=4, state_depth=1024, program_depth=1024
    )
    cores = both(net, machine)
    run_both(cores, samples(net, machine, STEPS, seed))
    assert cores[1]._beyond == []


@pytest.mark.parametrize("seed", range(6))
def test_sums_that_are_carried_on(seed):
    net = random_network(np.random.default_rng(seed), carry=True)
    net = net.with_(optimizer=("momentum_sum", "sign_sum")[seed % 2], momentum=0.75)
    machine = Machine(
        rows=2,
        streams=1 + seed,
        tile_rows=2,
        apply_rows=1 + seed // 3,
        carry=True,
        tables=4,
        state_depth=1024,
        program_depth=1024,
    )
    cores = both(net, machine)
    run_both(cores, samples(net, machine, STEPS, seed))
    assert cores[1]._beyond == []
    assert cores[1].memories.gradients.any()


@pytest.mark.parametrize("word", [8, 12, 16, 18])
@pytest.mark.parametrize("rule", ["momentum_sum", "sign_sum"])
def test_any_sum_that_is_carried_on(rule, word):
    """Every magnitude, decay and rate."""
    rng, f = np.random.default_rng(word), Formats(word=word)
    for n in range(24):
        net = NETWORKS["chain"].with_(
            optimizer=rule, momentum=1 - 2.0 ** -int(rng.integers(0, 13)),
            eta=2.0 ** -int(rng.integers(2, min(12, word - 3))), apply_every=1,
        )  # fmt: skip
        cores = both(net, Machine(rows=3, carry=True, formats=f, phi_log2=f.phi_log2), seed=n)
        shape = cores[0].memories.gradients.shape
        for _ in range(3):
            sums = rng.integers(-(1 << f.g.width - 1), 1 << f.g.width - 1, shape)
            sums >>= rng.integers(1, f.g.width, shape)
            for core in cores:
                core.memories.gradients[:] = sums
            batch = samples(net, cores[0].machine, 1, n)
            batch.flags[:] |= int(Flag.VALID | Flag.LEARN)
            run_both(cores, batch, (1,))
        assert cores[1]._beyond == []


@pytest.mark.parametrize("word", [8, 12, 16, 18])
@pytest.mark.parametrize("rule", ["momentum", "sign", "adam"])
def test_any_gradient_and_any_moment(rule, word):
    """Every magnitude, every bit of a moment word, every decay and rate, not only likely ones."""
    rng, f = np.random.default_rng(word), Formats(word=word)
    moved = 0
    for n in range(24):
        moments = 1 + (rule == "adam" or n % 2)
        machine = Machine(rows=3, moments=moments, formats=f, phi_log2=f.phi_log2)
        decay = 1 - 2.0 ** -rng.integers(0, 16, 2)
        net = NETWORKS["chain"].with_(
            optimizer=rule, momentum=float(decay[0]), momentum2=float(decay[1]),
            eta=2.0 ** -int(rng.integers(2, min(12, word - 3))), apply_every=1,
        )  # fmt: skip
        cores = both(net, machine, seed=n)
        shape = cores[0].memories.gradients.shape
        for _ in range(3):
            gradients = rng.integers(-(1 << f.g.width - 1), 1 << f.g.width - 1, shape)
            gradients >>= rng.integers(0, f.g.width, shape)
            words = rng.integers(0, 1 << 18 * machine.moments, shape)
            words[rng.random(shape) < 0.2] = 0
            for core in cores:
                core.memories.gradients[:], core.memories.moments[:] = gradients, words
                core.memories.registers[Register.LEARNED] = 7
            before = cores[1].memories.moments.copy()
            run_both(cores, samples(net, machine, 1, n), (1,))
            moved += int((cores[1].memories.moments != before).sum())
        assert cores[1]._beyond == []
    assert moved > 0.5 * 24 * 3 * NETWORKS["chain"].weight_count


def lagging(rule="gle", apply_every=1):
    """Both time constants learn, fast, next to populations in which one or none does."""
    both_learn = Population(5, "tanh", (1.0, 1.5, 3.0, 4.0, 400.0), 1.5, rule=rule,
                            eta_tau_m=0.5, eta_tau_r=0.25)  # fmt: skip
    one_learns = Population(3, "softplus", 2.0, 1.0, rule=rule, eta_tau_m=2.0)
    output = Population(2, "linear", rule="instantaneous")
    return Network(
        2, (both_learn, one_learns, both_learn, output), eta=2.0**-6, apply_every=apply_every
    )


@pytest.mark.parametrize("rule", ["gle", "instantaneous"])
@pytest.mark.parametrize("shape", [k for k, m in MACHINES.items() if m.formats.word >= 16])
def test_time_constants(shape, rule):
    net, machine = lagging(rule, 1 + 2 * (shape == "18")), replace(MACHINES[shape], w_depth=512)
    machine = replace(machine, time_constants=True)
    cores = both(net, machine)
    before = cores[0].memories.times.copy()
    run_both(cores, samples(net, machine, STEPS))
    assert (cores[0].memories.times[:2] != before[:2]).sum(axis=1).min() >= 5
    assert [core.implementation for core in cores] == ["numpy", "compiled"]


def test_time_constants_while_models_take_turns():
    """Coefficients that one of them changed are those of the other."""
    net, machine = lagging(), Machine(rows=2, streams=2, time_constants=True)
    cores, batch = both(net, machine), samples(net, machine, 60)
    for n in range(60):
        cores[1].observer = (lambda op, core: None) if n % 3 == 0 else None
        for core in cores:
            if n == 30:
                core.write(Region.TIMES, 0, 4, [3 << 24, 2 << 24, 5, (1 << 36) - 7])
            core.step(batch.flags[n], batch.x[n], batch.y[n])
        same(cores)


def test_a_time_constant_below_a_step_is_left_to_numpy():
    net, machine = lagging(), Machine(rows=2, streams=2, time_constants=True)
    cores, batch = both(net, machine), samples(net, machine, 4)
    for core in cores:
        core.write(Region.TIMES, 0, 4, [1 << 23, 1 << 24])
        core.step(batch.flags[0], batch.x[0], batch.y[0])
    same(cores)


@pytest.mark.parametrize("streams", [1, 2, 12])
@pytest.mark.parametrize("word", [12, 16, 18])
def test_every_kind_of_saturation(word, streams):
    net = stress_network()
    f = Formats(word)
    machine = Machine(rows=2, streams=streams, formats=f, phi_log2=f.phi_log2)
    cores = both(net, machine, profile="stress")
    run_both(cores, samples(net, machine, 400, profile="stress"))
    counts = cores[1].memories.registers[Register.SATURATED :][: len(KINDS)]
    assert all(counts), dict(zip(KINDS, counts, strict=True))


def test_wide_layers_and_full_scale_words():
    """More neurons than fit the registers of a processor, products of full scale, every tie."""
    net = Network(31, (Population(67, "tanh", 2.0, 1.0), Population(35, "linear")), eta=2**-5)
    machine = Machine(rows=5, streams=61, w_depth=2048)
    cores = both(net, machine)
    rng, half = np.random.default_rng(4), 1 << 17
    for core in cores:
        chosen = np.random.default_rng(4).choice([-half, half - 1, 0, 1, 256, -256, 768], 10**6)
        w = core.memories.weights
        w[...] = chosen[: w.size].reshape(w.shape)
        core.memories.weighed += 1
    batch = samples(net, machine, 12, profile="stress")
    batch.x[6:] = rng.choice([2**11, -(2**11), 3 * 2**10, -1, 1], batch.x[6:].shape)
    run_both(cores, batch, parts=(1, 2, 3, 4))


def test_step_and_steps_are_alike():
    net, machine = NETWORKS["all"], MACHINES["16, contexts"]
    cores, batch = both(net, machine), samples(net, machine, 20)
    for n in range(20):
        given = batch.flags[n], batch.x[n], batch.y[n]
        assert (cores[0].step(*given) == cores[1].step(*given)).all()
    same(cores)
    for core in cores:
        out, applied = core.steps(batch.flags[:0], batch.x[:0], batch.y[:0])
        assert out.shape == (0, 4, 4)
        assert applied.shape == (0,)


def test_models_take_turns():
    """An observer brings in numpy; what was written in between counts for both."""
    net, machine = NETWORKS["traces"], MACHINES["18"]
    cores, batch, seen = both(net, machine), samples(net, machine, 30), []
    for n in range(30):
        cores[1].observer = (lambda op, core: seen.append(op)) if n % 3 == 0 else None
        for core in cores:
            if n == 10:
                core.write(Region.WEIGHTS, 1, 2, [12345, 1 << 20])
                core.write(Region.STATE, 0, 4, [77, 78])
                core.write(Region.COEFFICIENTS, 0, 0, [1 << 16 | 12 << 18])
            core.step(batch.flags[n], batch.x[n], batch.y[n])
        same(cores)
    assert seen == list(cores[0].operations) * 10


def test_a_new_load_is_a_new_program():
    machine = MACHINES["18"]
    _, used = both(NETWORKS["skip"], machine)
    batch = samples(NETWORKS["skip"], machine, 10)
    used.steps(batch.flags, batch.x, batch.y)
    net = NETWORKS["softmax"]
    fresh, batch = both(net, machine)[0], samples(net, machine, 30)
    for region in (Region.PROGRAM, Region.COEFFICIENTS, Region.PHI):
        used.write(region, 0, 0, fresh.read(region, 0, 0, size(machine, region)[1]))
    for name in compiled.ARRAYS:
        getattr(used.memories, name)[...] = getattr(fresh.memories, name)
    used.memories.registers[:] = fresh.memories.registers
    used.memories.weighed += 1
    fresh.memories.weighed += 1
    given = batch.flags, batch.x, batch.y
    assert (fresh.steps(*given)[0] == used.steps(*given)[0]).all()
    assert (fresh.memories.weights == used.memories.weights).all()


def test_what_only_numpy_does(monkeypatch):
    """An APPLY that the C does not know runs in numpy, the rest of the step does not."""
    net, machine = NETWORKS["chain"].with_(apply_every=2), MACHINES["16, contexts"]
    cores, batch = both(net, machine), samples(net, machine, 40)
    assert cores[1]._compiled() is not None
    applies = [n for n, op in enumerate(cores[1].operations) if op.kind == Kind.APPLY]
    cores[1]._beyond = applies[:1]
    run_both(cores, batch, (1, 1, 2, 10))
    cores[1]._beyond = applies
    run_both(cores, samples(net, machine, 40, 8), (1, 1, 2, 10))


def test_bad_inputs_are_refused_alike():
    net, machine = NETWORKS["chain"], MACHINES["18"]
    cores, batch = both(net, machine), samples(net, machine, 2)
    flags, x, y = batch.flags[0], batch.x[0], batch.y[0]
    for wrong in (
        (flags[:1], x, y),
        (flags[:, None], x, y),
        (flags, x[:, :1], y),
        (flags, x, y[:1]),
        (flags, x[0], y),
        (flags, x + (1 << 18), y),
        (flags, x, y - (1 << 18)),
    ):
        messages = []
        for core in cores:
            with pytest.raises(BadInput) as error:
                core.step(*wrong)
            messages.append(str(error.value))
        assert messages[0] == messages[1]
    with pytest.raises(BadInput, match="steps"):
        cores[1].steps(batch.flags, batch.x[:1], batch.y)
    same(cores)
    assert cores[1].memories.registers[Register.STEP] == 0


PROGRAMS = {
    "no end": [Operation(Kind.INPUT, n=2)] * 512,
    "beyond the weights": [Operation(Kind.FORWARD, words=12, groups=40), Operation(Kind.END)],
    "beyond the rates": [Operation(Kind.INPUT, n=20, rates=250), Operation(Kind.END)],
    "a context": [Operation(Kind.TARGET, n=1, context=1), Operation(Kind.END)],
    "no sums": [Operation(Kind.MEMBRANE, n=3), Operation(Kind.END)],
    "beyond the coefficients": [
        Operation(Kind.ERROR, n=3, weights=254),
        Operation(Kind.END),
    ],
    "other sums": [
        Operation(Kind.FORWARD, words=2, groups=3),
        Operation(Kind.FORWARD, words=2, groups=2, head=0),
        Operation(Kind.END),
    ],
    "more columns than weights": [
        Operation(Kind.BACK, words=2, groups=1, n=200, q=1, rows=2),
        Operation(Kind.END),
    ],
    "beyond the outputs": [
        Operation(Kind.ERROR, n=10, cost=1, q=1, extra=60),
        Operation(Kind.END),
    ],
    "nothing": [Operation(Kind.MEMBRANE), Operation(Kind.END)],
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_that_are_none_are_refused_alike(name):
    machine = MACHINES["18"]
    words = np.concatenate([op.encode() for op in PROGRAMS[name]])
    errors = []
    for core in (GoldenCore(machine), CompiledCore(machine)):
        core.write(Region.PROGRAM, 0, 0, words)
        inputs = PROGRAMS[name][0].n if PROGRAMS[name][0].kind == Kind.INPUT else 0
        targets = PROGRAMS[name][0].n if PROGRAMS[name][0].kind == Kind.TARGET else 0
        with pytest.raises(ValueError) as error:  # noqa: PT011  numpy's own among them
            core.step([1, 1], np.zeros((2, inputs), int), np.zeros((2, targets), int))
        errors.append((type(error.value), str(error.value)))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("compiler", ["", "no-such-compiler", "false"])
def test_without_a_compiler_numpy_does_it(monkeypatch, tmp_path, capsys, compiler):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", compiler)
    if not compiler:
        monkeypatch.setenv("PATH", str(tmp_path))
    library.library.cache_clear()
    compiled._say.cache_clear()
    try:
        for _ in range(2):
            core = make_core(Machine())
            assert core.implementation == "numpy"
            assert type(core) is GoldenCore
        said = capsys.readouterr().err
        assert said.count("numpy") == 1
        assert compiler in said
        with pytest.raises(BuildFailed):
            CompiledCore(Machine())
    finally:
        library.library.cache_clear()
        compiled._say.cache_clear()


def test_with_a_compiler_it_is_compiled():
    assert make_core(Machine()).implementation == "compiled"
