# SPDX-License-Identifier: Apache-2.0
"""The short comparison: everything that a core shows while it does a little of all it can do.

`observe` drives a core and gives what it sees as named integers, of the model or of a netlist;
two cores are equal when all of these are. Seen are output words, all memories, registers and
cycles: after random words everywhere, after steps on random words (coefficients, states, tables,
gradients, moments, time constants), after steps of networks (both schedules, anywhere in the
memories, at full scale, streams that pause), in all output modes, and after a reset inside a step.
`observe_short` does a little of that on a core of short words.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import (
    DATA_BITS,
    OUTPUT_SUM_BITS,
    Region,
    Register,
    size,
)
from antevolt.hdl.spec.moments import CARRYING, SLOWEST, Rule
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Kind
from antevolt.host.backend import Backend
from antevolt.host.compile import compile
from antevolt.host.model import NumpyBackend
from antevolt.host.outputs import OutputSetting, Sent
from antevolt.host.quantize import learns_times
from antevolt.host.random_samples import random_batch, weights
from antevolt.host.samples import Batch, Sizes
from antevolt.host.schedule import schedule
from antevolt.host.verify_worker import memories, words_of
from antevolt.sim.mutation.cases import (
    Case,
    cases,
    full,
    graph,
    learned,
    narrow,
    network,
    of_short_words,
)
from antevolt.sim.mutation.drawn import fill, moments, numbers, times
from antevolt.sim.mutation.placed import Offsets, load, program, slow

__all__ = [
    "MACHINE",
    "PATIENCE",
    "SHORT",
    "Model",
    "Observation",
    "Subject",
    "load_kept",
    "observe",
    "observe_short",
    "save",
]

Words = NDArray[np.int64]

MACHINE = Machine(
    rows=2,
    streams=2,
    contexts=2,
    multipliers=2,
    w_depth=64,
    r_depth=128,
    state_depth=256,
    q_depth=16,
    io_depth=64,
    program_depth=256,
    tables=4,
    phi_log2=4,
    time_constants=True,
    moments=2,
    carry=True,
)
"""All that a core can have, two of what there can be two of, in memories soon looked through."""

SHORT = Machine(
    rows=2,
    streams=2,
    multipliers=2,
    w_depth=64,
    r_depth=64,
    state_depth=64,
    q_depth=16,
    io_depth=16,
    program_depth=128,
    tables=4,
    phi_log2=Formats(8).phi_log2,
    carry=True,
    formats=Formats(8),
)
"""Words of 8 bits, of whose products nothing is dropped."""

FORMATS = MACHINE.formats
WORD_BITS = 36
PARTS = 3  # per case
COUNTED = (Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT, Register.SLOTS)
DRAWS = 8  # of all that a step works on
RATES, SUMS = 24, 8  # of learning, at which gradients are applied; also carried on
AGAIN = 2  # looks at what comes of the same words
EDGES = 0.5  # share of the gradients whose change of a weight is about to be rounded
APPLIED = 8  # steps from look to look
TIMINGS, TIMED = 8, 64  # draws of time constants; how many of them move in each
SLOWEST_TAU = 50  # largest k of a rate of time constants (`host.quantize.tau_rate`)
CHANGED = (Region.WEIGHTS, Region.GRADIENTS, Region.MOMENTS)
"""Looked at often; looking at everything takes long."""
STATES = (Region.RATES, Region.STATE, Region.PARTNER, Region.Q, Region.OUTPUT)
PATIENCE = 60_000
"""Cycles without a word after which a core is taken to hang; the longest step takes a third."""
STOP = 37  # cycles of silence after which a step that lacks inputs is reset


@dataclass(frozen=True)
class Observation:
    """Integers that two equal cores agree on; `kind`: output, memory or cycles."""

    name: str
    kind: str
    numbers: NDArray[np.int64]


class Subject(Protocol):
    """A core with what the backend protocol does not have. The model ignores what is of time."""

    @property
    def backend(self) -> Backend: ...

    def stall(self, percent: int, seed: int) -> None:
        """Hold back all streams in so many percent of the cycles."""
        ...

    def interrupt(self, x_words: NDArray[np.int64]) -> None:
        """Begin a step with some of its inputs, and reset the core inside it."""
        ...

    def clock_error(self) -> int:
        """The register CYCLES without the cycles that passed: always the same number."""
        ...


class Model:
    """The model in numpy, whose sources the mutants change, as a subject."""

    def __init__(self, machine: Machine):
        self.core = NumpyBackend(machine)

    @property
    def backend(self) -> Backend:
        return self.core

    def stall(self, percent: int, seed: int) -> None:
        """A model has no time."""

    def interrupt(self, x_words: NDArray[np.int64]) -> None:
        _, count = size(self.core.machine, Region.REGISTERS)
        self.core.write(Region.REGISTERS, 0, 0, np.zeros(count, dtype=np.int64))
        for register in (Register.APPLY_EVERY, Register.OUTPUT_EVERY):  # what a reset makes 1
            self.core.write(Region.REGISTERS, 0, register, [1])

    def clock_error(self) -> int:
        return 0


def observe(subject: Subject) -> Iterator[Observation]:
    """What the core shows, in order; whoever finds a difference need not go on."""
    backend = subject.backend
    *before, after = cases()
    yield from _scattered(subject, 1)
    yield from _run(subject, before[0])
    yield from _drawn(subject)
    for n in range(RATES):
        yield from _applying(subject, n)
    for n in range(SUMS):
        yield from _carrying(subject, n)
    yield from _timing(subject)
    for case in before[1:]:
        yield from _run(subject, case)
    yield from _outputs(subject)
    yield from _counting(subject, before[0])
    for turn in (1, -1):
        yield from _each_register(subject, before[2], turn)
    net = after.network
    x, _ = after.batch(backend.machine).words(backend.machine.formats)
    subject.interrupt(x[: net.inputs + 1])
    yield Observation("registers after a reset", "memory", _registers(backend))
    yield from _scattered(subject, 2)
    yield from _run(subject, after)
    yield from _look(backend, "at the end", Region)


def observe_short(subject: Subject) -> Iterator[Observation]:
    """The same of a core like `SHORT`, as far as its words are concerned."""
    yield from _scattered(subject, 1)
    for case in of_short_words():
        yield from _run(subject, case)
    yield from _look(subject.backend, "at the end", Region)


def _registers(backend: Backend) -> Words:
    """Without those that count cycles."""
    found = backend.read(Region.REGISTERS, 0, 0, size(backend.machine, Region.REGISTERS)[1])
    timed = (Register.CYCLES, Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT)
    found[list(timed)] = 0
    return found


def _learns(network: Network) -> bool:
    """Some of its time constants do."""
    return any(map(learns_times, network.populations))


def _look(backend: Backend, name: str, regions: Iterable[Region]) -> Iterator[Observation]:
    for region in regions:
        found = _registers(backend) if region == Region.REGISTERS else words_of(backend, region)
        yield Observation(f"{name}, {region.name}", "memory", found)


def _steps(subject: Subject, network: Network, seed: int, more: Flag, steps: int = 1) -> Words:
    """The outputs of steps with random samples and flags; `more`: those that all streams have with
    every other seed."""
    backend = subject.backend
    sizes = Sizes(backend.machine.total_streams, network.inputs, network.outputs, FORMATS)
    batch = random_batch(sizes, steps, seed, "stress" if seed % 3 == 0 else "normal")
    if seed % 2:
        batch.flags[:] |= int(more)
    x, y = batch.words(FORMATS)
    return backend.run(x, y, steps, sizes.streams * sizes.outputs)


def _drawn(subject: Subject) -> Iterator[Observation]:
    """Steps on random words: coefficients, states, errors and tables that no network comes to."""
    backend = subject.backend
    parallel = graph().with_(schedule="parallel", tau_z=None)
    kinds = (narrow(), narrow().with_(schedule="parallel"), learned(narrow()), graph(), parallel)
    for n in range(DRAWS):
        rng, net = np.random.default_rng(n), kinds[n % len(kinds)]
        image = compile(net, MACHINE)
        offsets, shared = Offsets.room(image).drawn(rng), image.layout.shared
        load(backend, image, weights(net, n), offsets, clean=False)
        copies = [number for name, number in shared.items() if name == "copy"]
        fill(backend, rng, [offsets.coefficients + number for number in copies])
        if _learns(net):
            backend.write(Region.TIMES, 0, 0, times(rng, MACHINE.coefficient_depth, DATA_BITS))
        for again in range(AGAIN):
            every, done = int(rng.choice([1, 1000])), int(rng.integers(0, 2))
            backend.write(Region.REGISTERS, 0, Register.APPLY_EVERY, [every, done])
            name = f"random states {n}, step {again}"
            out = _steps(subject, net, AGAIN * n + again, Flag.VALID)
            yield Observation(f"{name}, outputs", "output", out)
            yield from _look(backend, name, (*STATES, *CHANGED, Region.REGISTERS))
        if _learns(net):
            yield from _look(backend, name, (Region.COEFFICIENTS, Region.TIMES))


def _outputs(subject: Subject) -> Iterator[Observation]:
    """All output modes, from sums of every size."""
    backend, rng = subject.backend, np.random.default_rng(1)
    net = network(2, 4, 5, eta=2.0**-4)
    image = compile(net, MACHINE)
    sizes = Sizes(MACHINE.total_streams, net.inputs, net.outputs, FORMATS)
    for n, mode in enumerate(("last", "sum", "argmax", "every", "none", "sum", "argmax")):
        load(backend, image, weights(net, n), Offsets.room(image).drawn(rng), clean=False)
        setting = OutputSetting(mode, 3, int(rng.integers(0, 20)) if n else 31)
        setting.write(backend)
        units, count = size(MACHINE, Region.SUMS)
        for unit in range(units):
            sums = numbers(rng, OUTPUT_SUM_BITS, count)
            backend.write(Region.SUMS, unit, 0, np.where(rng.random(count) < 0.5, sums, ~sums))
        batch = random_batch(sizes, 9, n, "stress" if n > 4 else "normal")
        batch.flags[rng.random(batch.flags.shape) < 0.4] |= int(Flag.LAST)
        counts = Sent.read(backend).words(batch.flags, sizes.outputs)
        x, y = batch.words(FORMATS)
        out = backend.run(x, y, batch.steps, sizes.streams * sizes.outputs, int(counts.sum()))
        yield Observation(f"outputs {n}, {mode}", "output", out)
        yield from _look(backend, f"outputs {n}, {mode}", (Region.SUMS, Region.REGISTERS))


def _counting(subject: Subject, case: Case) -> Iterator[Observation]:
    """Single steps with large numbers in the registers that decide when to apply, and when outputs
    are due."""
    backend, net = subject.backend, case.network
    batch, rng = case.batch(backend.machine), np.random.default_rng(case.seed)
    load(backend, compile(net, MACHINE), weights(net, case.seed), Offsets())

    def nearly(every: int) -> int:
        """So many that with one more they are enough, or too few by a power of two."""
        off = int(rng.integers(-1, 2)) << int(rng.integers(0, 31))
        return min(max(every - 1 + off, 0), (1 << 32) - 2)

    for n in range(2 * case.steps):
        step, seed, every, due = (int(number) for number in rng.integers(1 << 31, 1 << 32, 4))
        backend.write(
            Region.REGISTERS, 0, Register.STEP, [step << n % 2, seed, every, nearly(every)]
        )
        backend.write(Region.REGISTERS, 0, Register.OUTPUT_EVERY, [due, nearly(due)])
        at = n % case.steps
        one = Batch(batch.x[at : at + 1], batch.y[at : at + 1], batch.flags[at : at + 1])
        count = int(Sent.read(backend).words(one.flags, net.outputs).sum())
        x, y = one.words(FORMATS)
        out = backend.run(x, y, 1, MACHINE.total_streams * net.outputs, count)
        yield Observation(f"counting, step {n}, outputs", "output", out)
        yield from _look(backend, f"counting, step {n}", (Region.REGISTERS, Region.WEIGHTS))


def _each_register(subject: Subject, case: Case, turn: int) -> Iterator[Observation]:
    """Registers written one by one, in any order and (`turn` -1) the other way round, so that each
    is written while any other one holds what steps have counted."""
    backend, rng = subject.backend, np.random.default_rng(2)
    yield from _run(subject, replace(case, name=f"{case.name}, turn {turn}"))
    for n in rng.permutation(size(backend.machine, Region.REGISTERS)[1])[::turn].tolist():
        backend.write(Region.REGISTERS, 0, n, rng.integers(0, 1 << WORD_BITS, 1))
        yield from _look(backend, f"turn {turn}, register {n}", [Region.REGISTERS])


def _applying(subject: Subject, n: int) -> Iterator[Observation]:
    """Steps that apply gradients written by the host to all weights there are, and make no new
    ones: two times of three by moments; else half of them where one more or less decides how the
    change of a weight is rounded."""
    backend, rng = subject.backend, np.random.default_rng(n)
    eta = float(rng.integers(4, 8)) * 2.0 ** -(4.0 + 2 * n + n % 2)
    own = full().with_(eta=eta, apply_every=1 + n // 3 % 2, seed=n)
    if n % 3:
        own = own.with_(
            optimizer=("adam", "momentum", "adam", "sign")[n // 3 % 4],
            eta=float(rng.integers(4, 8)) * 2.0 ** -float(rng.integers(3, 16)),
            momentum=1 - 2.0 ** -float(rng.integers(0, SLOWEST + 1)),
            momentum2=1 - 2.0 ** -float(rng.integers(0, SLOWEST + 1)),
        )
    image = compile(own, MACHINE)
    kept = [op for op in image.operations if op.kind != Kind.BACK]
    steps = schedule(kept, MACHINE).operations
    load(backend, image, weights(own, n), Offsets(), steps, clean=False)
    op = next(op for op in image.operations if op.kind == Kind.APPLY)
    units, words = size(MACHINE, Region.GRADIENTS)
    top = 1 << (FORMATS.g.width - 1)
    for unit in range(units):
        change = rng.integers(-600, 600, words)
        edge = ((2 * change + 1) << op.eta_k) // (2 * op.eta_m) + rng.integers(-1, 2, words)
        wild = numbers(rng, FORMATS.g.width, words)
        gradients = np.clip(
            np.where(rng.random(words) < EDGES * (n % 3 == 0), edge, wild), -top, top - 1
        )
        backend.write(Region.GRADIENTS, unit, 0, gradients)
        if n % 3:
            rates = (op.rates, op.neurons)
            backend.write(Region.MOMENTS, unit, 0, moments(rng, MACHINE, gradients, rates))
    yield from _applied(subject, own, n, rng, f"applying {n}")


def _carrying(subject: Subject, n: int) -> Iterator[Observation]:
    """The same by rules that carry sums on, at any k: sums of any size, half of them where one more
    or less decides how what is taken off is rounded."""
    backend, rng = subject.backend, np.random.default_rng(n)
    eta = float(rng.integers(4, 8)) * 2.0 ** -float(rng.integers(3, 24 - 8 * (n % 2)))
    own = full().with_(optimizer=("momentum_sum", "sign_sum")[n % 2], eta=eta, seed=n)
    image, k = compile(own, MACHINE), int(rng.integers(0, SLOWEST + 1))  # more than networks may
    kept = [
        replace(op, rates=k) if op.kind == Kind.APPLY else op
        for op in image.operations
        if op.kind != Kind.BACK
    ]
    steps = schedule(kept, MACHINE).operations
    load(backend, image, weights(own, n), Offsets(), steps, clean=False)
    units, words = size(MACHINE, Region.GRADIENTS)
    top = 1 << (FORMATS.g.width - 1)
    for unit in range(units):
        wild = numbers(rng, FORMATS.g.width, words)
        edge = (wild >> k << k) + (1 << k >> 1) + rng.integers(-1, 2, words)
        sums = np.where(rng.random(words) < EDGES, edge, wild)
        backend.write(Region.GRADIENTS, unit, 0, np.clip(sums, -top, top - 1))
    yield from _applied(subject, own, n, rng, f"carrying {n}")


def _applied(
    subject: Subject, own: Network, n: int, rng: np.random.Generator, name: str
) -> Iterator[Observation]:
    """Steps that apply what there is, at random bits of any step and seed."""
    backend = subject.backend
    for again in range(AGAIN):
        step, seed = (int(number) for number in rng.integers(0, 1 << 32, 2))
        backend.write(Region.REGISTERS, 0, Register.STEP, [step, seed, 0])  # due in every step
        out = _steps(subject, own, AGAIN * n + again, Flag.LEARN, APPLIED)
        yield Observation(f"{name}, part {again}, outputs", "output", out)
        yield from _look(backend, f"{name}, part {again}", (*CHANGED, Region.REGISTERS))


def _timing(subject: Subject) -> Iterator[Observation]:
    """Steps that move time constants of any size by sums of any size, at any rate."""
    backend, net = subject.backend, learned(network(3, 5, 4, 3, seed=4))
    image = compile(net, MACHINE)
    first = next(n for n, op in enumerate(image.operations) if op.kind == Kind.TIMES)
    load(backend, image, weights(net, 4), Offsets())
    for n in range(TIMINGS):
        rng = np.random.default_rng(n)
        m_rate, r_rate = (
            int(rng.choice([0, 4, 5, 6, 7])) | int(rng.integers(0, SLOWEST_TAU + 1)) << 3
            for _ in range(2)
        )
        start = int(rng.integers(0, MACHINE.coefficient_depth - TIMED + 1))
        own = list(image.operations)
        own[first] = replace(
            own[first], n=TIMED, weights=start, interval=m_rate, words=r_rate, output=n % 2
        )
        backend.write(Region.PROGRAM, 0, 0, program(schedule(own, MACHINE).operations))
        backend.write(Region.TIMES, 0, 0, times(rng, MACHINE.coefficient_depth, DATA_BITS))
        backend.write(Region.REGISTERS, 0, Register.APPLY_EVERY, [1, 1])
        out = _steps(subject, net, n, Flag.VALID)
        yield Observation(f"timing {n}, outputs", "output", out)
        for region, words in ((Region.TIMES, 4), (Region.COEFFICIENTS, 8)):
            found = backend.read(region, 0, words * start, words * TIMED)
            yield Observation(f"timing {n}, {region.name}", "memory", found)
    yield from _look(backend, "timing", (Region.TIMES, Region.COEFFICIENTS))


def _scattered(subject: Subject, seed: int) -> Iterator[Observation]:
    """Random words everywhere, counters cleared by writing."""
    backend, rng = subject.backend, np.random.default_rng(seed)
    for region in Region:
        units, words = size(backend.machine, region)
        for unit in range(units):
            data = rng.integers(0, 1 << WORD_BITS, words)
            backend.write(region, unit, 0, data)
    found = memories(backend)
    for region in Region:
        yield Observation(f"random words {seed}, {region.name}", "memory", found[region])


def _run(subject: Subject, case: Case) -> Iterator[Observation]:
    backend, net = subject.backend, case.network
    machine = backend.machine
    batch, image = case.batch(machine), compile(net, machine)
    operations = slow(image, np.random.default_rng(case.seed)) if case.slow else None
    given = weights(net, case.seed, case.profile)
    load(backend, image, given, case.offsets(image), operations)
    for number in COUNTED:
        backend.write(Region.REGISTERS, 0, number, [0])
    clock = subject.clock_error()
    subject.stall(case.percent, case.seed)
    outputs = machine.total_streams * net.outputs
    for part in np.array_split(np.arange(case.steps), PARTS):
        chosen = slice(int(part[0]), int(part[-1]) + 1)
        some = Batch(batch.x[chosen], batch.y[chosen], batch.flags[chosen])
        x, y = some.words(machine.formats)
        name = f"{case.name}, steps {chosen.start}..{chosen.stop - 1}"
        out = backend.run(x, y, some.steps, outputs)
        yield Observation(f"{name}, outputs", "output", out)
        busy, inputs, taken, slots = (
            int(backend.read(Region.REGISTERS, 0, register, 1)[0]) for register in COUNTED
        )
        counts = [busy - inputs - taken, slots]
        if not case.percent:
            counts += [inputs, taken]
        yield Observation(f"{name}, cycles", "cycles", np.array(counts))
        plain = net.optimizer == "sgd" or Rule[net.optimizer.upper()] in CARRYING
        changed = CHANGED[:-1] if plain else CHANGED
        yield from _look(backend, name, (*changed, Region.REGISTERS))
    subject.stall(0, case.seed)
    more = (Region.COEFFICIENTS, Region.TIMES) if _learns(net) else ()
    yield from _look(backend, case.name, (*STATES, *more))
    off = subject.clock_error() - clock
    yield Observation(f"{case.name}, the register CYCLES", "cycles", np.array([off]))


def save(
    path: Path, subject: Subject, look: Callable[[Subject], Iterator[Observation]] = observe
) -> int:
    """Keep all observations of a core; returns how many integers these are."""
    seen = {f"{o.kind}|{o.name}": o.numbers for o in look(subject)}
    np.savez(path, **seen)  # type: ignore[arg-type]
    return sum(numbers.size for numbers in seen.values())


def load_kept(path: Path) -> dict[str, NDArray[np.int64]]:
    """What `save` kept, by the name of the observation."""
    with np.load(path, allow_pickle=False) as file:
        return {name.split("|", 1)[1]: file[name] for name in file.files}
