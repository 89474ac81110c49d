# SPDX-License-Identifier: Apache-2.0
"""The short comparison: everything that a core shows while it does a little of all it can do.

`observe` drives a core and gives what it sees as named integers, of the model or of a netlist;
two cores are equal when all of these are. Seen are output words, all memories, registers and
cycles: after random words everywhere, after loading, after steps (both schedules, learning at every
step and once in so many, full scale, streams that pause), and after a reset inside a step.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.moments import EXPONENTS, FRACTION, WORD
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.hdl.spec.program import Kind
from antevolt.host.backend import Backend
from antevolt.host.campaign import stress_network
from antevolt.host.device import Device
from antevolt.host.model import NumpyBackend
from antevolt.host.random_samples import Profile, random_batch, random_network, weights
from antevolt.host.samples import Batch, Sizes
from antevolt.host.verify_worker import memories, words_of

__all__ = ["MACHINE", "Model", "Observation", "Subject", "load", "observe", "save"]

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
)
"""All that a core can have, two of what there can be two of, in memories soon looked through."""

WORD_BITS = 36
PARTS = 3  # per case
COUNTED = (Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT, Register.SLOTS)
RATIO = 1000.0  # most that the filters allow of one time constant over the other, nearly
RATES = 32  # of learning, at which gradients are applied
CHANGED = (Region.WEIGHTS, Region.GRADIENTS, Region.MOMENTS)
"""Looked at often; looking at everything takes long."""
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


@dataclass(frozen=True)
class Case:
    """A network and its samples; `percent` of the cycles the streams are held back."""

    name: str
    network: Network
    steps: int
    seed: int
    profile: Profile = "normal"
    percent: int = 0
    alike: bool = False  # the same samples for all streams

    def batch(self, machine: Machine) -> Batch:
        """Random samples; streams start and pause more often than in a long run."""
        net = self.network
        sizes = Sizes(machine.total_streams, net.inputs, net.outputs, machine.formats)
        batch = random_batch(sizes, self.steps, self.seed, self.profile)
        rng = np.random.default_rng(self.seed)
        starts = (rng.random(batch.flags.shape) < 0.15) * int(Flag.FIRST)
        pauses = rng.random(batch.flags.shape) < 0.1
        flags = (batch.flags | starts) & ~(pauses * int(Flag.VALID))
        if self.steps > 2:
            flags[self.steps // 2] &= ~int(Flag.LEARN)  # a step in which no stream learns
        if self.alike:  # they saturate in the same cycle
            batch.x[:], batch.y[:] = batch.x[:, :1], batch.y[:, :1]
            flags[:] = flags[:, :1]
        return Batch(batch.x, batch.y, flags)


def _network(inputs: int, *sizes: int, **settings: object) -> Network:
    populations = []
    for k, n in enumerate(sizes):
        slow = tuple(1.0 if i % 3 == 2 else 2.0 + i % 5 for i in range(n))
        ahead = tuple(1.0 if i % 3 == 2 else 1.0 + i % 4 for i in range(n))
        phi = "linear" if k == len(sizes) - 1 else ("tanh", "softplus")[k % 2]
        populations.append(Population(n, phi, slow, ahead, 0.1))
    return Network(inputs, tuple(populations), **settings)  # type: ignore[arg-type]


def _random(seed: int, profile: Profile) -> Case:
    """A random network that fits `MACHINE`, with constants from all over their ranges: some time
    constants are huge, couplings and rates of learning tiny, so that all shifts come up."""
    rng = np.random.default_rng(seed)
    net = random_network(rng, largest=7, deepest=2)
    populations = []
    for population in net.populations:
        slow = np.where(
            rng.random(population.size) < 0.5,
            2.0 ** rng.uniform(0.0, 24.0, population.size),
            rng.uniform(1.0, 12.0, population.size),
        )
        ahead = np.where(rng.random(population.size) < 0.3, slow, rng.uniform(1.0, 6.0, slow.shape))
        ahead = np.clip(ahead, slow / RATIO, slow * RATIO)
        gamma = float(2.0 ** -rng.uniform(0.0, 24.0))
        populations.append(
            replace(
                population, tau_m=tuple(slow.tolist()), tau_r=tuple(ahead.tolist()), gamma=gamma
            )
        )
    smallest = 16 if profile == "normal" else 36
    net = net.with_(
        populations=tuple(populations),
        eta=float(rng.integers(4, 8)) * 2.0 ** -float(rng.integers(3, smallest)),
        beta=float(2.0 ** rng.uniform(-12.0, 2.0)),
    )
    return Case(f"random {seed}", net, 50, seed, profile, percent=int(rng.integers(0, 30)))


def _graph() -> Network:
    """Traces of two time constants, a loop, a skip, backward weights of both kinds, a softmax."""
    traced = Population(5, "tanh", (1.0, 1.0, 1.0, 3.0, 3.0), rule="trace", g=0.75)
    hidden = Population(3, "sigmoid", 2.0, rule="instantaneous")
    output = Population(3, "linear", rule="instantaneous")
    return Network(
        3,
        (traced, hidden, output),
        (
            Projection(0, 1),
            Projection(1, 1, bias=False),
            Projection(1, 2, backward="learned"),
            Projection(0, 2, bias=False),
            Projection(2, 3, backward="fixed"),
        ),
        cost="cross_entropy",
        softmax_gain=3.0,
        tau_z=4.0,
        eta=2.0**-4,
        seed=5,
    )


def _learned(network: Network) -> Network:
    """The same with time constants that learn, where its rules allow it."""
    populations = tuple(
        replace(population, eta_tau_m=0.5, eta_tau_r=0.25)
        for population in network.populations[:-1]
    )
    return network.with_(populations=(*populations, network.populations[-1]))


def cases() -> tuple[Case, ...]:
    """In the order they run; the last one after the reset."""
    one = _network(3, 5, 4, 3, eta=2.0**-4, seed=0x1234ABCD)
    other = _network(4, 3, 6, 2, schedule="parallel", apply_every=3, eta=2.0**-4, seed=7)
    single = _network(1, 2, 1, eta=2.0**-3, seed=3)
    return (
        Case("sequential", one, 12, 1),
        Case("parallel", other, 13, 2, percent=60),
        Case("full scale", stress_network(), 12, 3, "stress"),
        Case("full scale, alike", stress_network(), 40, 5, "stress", alike=True),
        Case("small", single, 6, 4, percent=90),
        Case("graph", _graph(), 14, 6, percent=20),
        Case("graph, parallel", _graph().with_(schedule="parallel", tau_z=None), 14, 7),
        Case("momentum", one.with_(optimizer="momentum", momentum=0.75), 10, 8),
        Case("sign", one.with_(optimizer="sign", momentum=0.875, eta=2.0**-7), 10, 9, percent=30),
        Case("adam", other.with_(optimizer="adam", eta=2.0**-7), 21, 10),
        Case("adam, full scale", stress_network().with_(optimizer="adam"), 12, 11, "stress"),
        Case("time constants", _learned(one), 16, 12, percent=20),
        Case("time constants, full scale", _learned(one), 12, 13, "stress"),
        *(_random(seed, "normal") for seed in range(11, 15)),
        *(_random(seed, "stress") for seed in range(15, 18)),
        Case("after reset", one, 6, 5, percent=20),
    )


def observe(subject: Subject) -> Iterator[Observation]:
    """What the core shows, in order; whoever finds a difference need not go on."""
    backend = subject.backend
    *before, after = cases()
    yield from _scattered(subject, 1)
    for case in before:
        yield from _run(subject, case)
    yield from _counting(subject, before[0])
    for n in range(RATES):
        yield from _applying(subject, before[0].network, n)
    net = after.network
    x, _ = after.batch(backend.machine).words(backend.machine.formats)
    subject.interrupt(x[: net.inputs + 1])
    yield Observation("registers after a reset", "memory", _registers(backend))
    yield from _scattered(subject, 2)
    yield from _run(subject, after)


def _registers(backend: Backend) -> NDArray[np.int64]:
    """Without those that count cycles."""
    found = backend.read(Region.REGISTERS, 0, 0, size(backend.machine, Region.REGISTERS)[1])
    timed = (Register.CYCLES, Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT)
    found[list(timed)] = 0
    return found


def _counting(subject: Subject, case: Case) -> Iterator[Observation]:
    """Single steps with large numbers in the registers that decide when to apply."""
    backend, net = subject.backend, case.network
    batch, rng = case.batch(backend.machine), np.random.default_rng(case.seed)
    Device("compared", backend).load(net, weights(net, case.seed))
    for n in range(case.steps):
        every = int(rng.integers(1 << 31, 1 << 32))
        off = int(rng.integers(-1, 2)) << int(rng.integers(0, 31))
        learned = min(max(every - 1 + off, 0), (1 << 32) - 2)
        step, seed = (int(number) for number in rng.integers(0, 1 << 32, 2))
        backend.write(Region.REGISTERS, 0, Register.STEP, [step, seed, every, learned])
        one = Batch(batch.x[n : n + 1], batch.y[n : n + 1], batch.flags[n : n + 1])
        x, y = one.words(backend.machine.formats)
        out = backend.run(x, y, 1, backend.machine.total_streams * net.outputs)
        yield Observation(f"counting, step {n}, outputs", "output", out)
        yield Observation(f"counting, step {n}, registers", "memory", _registers(backend))
        found = words_of(backend, Region.WEIGHTS)
        yield Observation(f"counting, step {n}, weights", "memory", found)


def _applying(subject: Subject, net: Network, n: int) -> Iterator[Observation]:
    """A step that applies gradients written by the host: half of them of any size, half where one
    more or less decides how the change of a weight is rounded; every other time by moments."""
    backend, rng = subject.backend, np.random.default_rng(n)
    machine = backend.machine
    eta = float(rng.integers(4, 8)) * 2.0 ** -(4.0 + 2 * n + n % 2)
    own = net.with_(eta=eta, apply_every=1 + n % 4 // 3, seed=n)
    if n % 2:
        rule = ("adam", "momentum", "adam", "sign")[n // 2 % 4]
        own = own.with_(
            optimizer=rule,
            eta=float(rng.integers(4, 8)) * 2.0 ** -float(rng.integers(3, 16)),
            momentum=1 - 2.0 ** -float(rng.integers(1, 8)),
            momentum2=1 - 2.0 ** -float(rng.integers(1, 12)),
        )
    device = Device("compared", backend)
    device.load(own, weights(own, n))
    op = next(op for op in device.image.operations if op.kind == Kind.APPLY)
    units, words = size(machine, Region.GRADIENTS)
    top = 1 << (machine.formats.g.width - 2)  # half the range: what the step itself adds fits
    for unit in range(units):
        change = rng.integers(-600, 600, words)
        edge = ((2 * change + 1) << op.eta_k) // (2 * op.eta_m) + rng.integers(-1, 2, words)
        wild = rng.integers(-top, top, words) >> rng.integers(0, machine.formats.g.width, words)
        chosen = np.where(rng.random(words) < 0.5, edge, wild)
        backend.write(Region.GRADIENTS, unit, 0, np.clip(chosen, -top, top - 1))
    for unit in range(size(machine, Region.MOMENTS)[0] if n % 2 else 0):
        backend.write(Region.MOMENTS, unit, 0, _moments(machine, rng))
    backend.write(Region.REGISTERS, 0, Register.APPLY_EVERY, [1, 1])  # and one step has learned
    sizes = Sizes(machine.total_streams, own.inputs, own.outputs, machine.formats)
    batch = random_batch(sizes, 1, n)
    batch.flags[:] = int(Flag.VALID | Flag.TARGET_VALID)
    batch.flags[0, 0] |= int(Flag.LEARN) * (n % 2)
    x, y = batch.words(machine.formats)
    out = backend.run(x, y, 1, machine.total_streams * own.outputs)
    yield Observation(f"applying {n}, outputs", "output", out)
    for region in CHANGED:
        found = words_of(backend, region)
        yield Observation(f"applying {n}, {region.name}", "memory", found)


def _moments(machine: Machine, rng: np.random.Generator) -> NDArray[np.int64]:
    """Moment words of a row as an APPLY could leave them: of any size, some of them zero."""
    _, words = size(machine, Region.MOMENTS)
    total = np.zeros(words, dtype=np.int64)
    for which, bits in enumerate(EXPONENTS):
        exponent = rng.integers(0, 1 << bits, words)
        fraction = rng.integers(0, 1 << FRACTION, words)
        sign = rng.integers(0, 2, words) << (WORD - 1) if which == 0 else 0
        total |= np.where(exponent == 0, 0, exponent << FRACTION | fraction | sign) << WORD * which
    return total


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
    batch = case.batch(machine)
    Device("compared", backend).load(net, weights(net, case.seed, case.profile))
    for kind in range(len(KINDS)):
        backend.write(Region.REGISTERS, 0, Register.SATURATED + kind, [0])
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
        for region in CHANGED:
            yield Observation(f"{name}, {region.name}", "memory", words_of(backend, region))
    found = memories(backend)
    for region in Region:
        yield Observation(f"{case.name}, {region.name}", "memory", found[region])
    off = subject.clock_error() - clock
    yield Observation(f"{case.name}, the register CYCLES", "cycles", np.array([off]))


def save(path: Path, subject: Subject) -> int:
    """Keep all observations of a core; returns how many integers these are."""
    seen = {f"{o.kind}|{o.name}": o.numbers for o in observe(subject)}
    np.savez(path, **seen)  # type: ignore[arg-type]
    return sum(numbers.size for numbers in seen.values())


def load(path: Path) -> dict[str, NDArray[np.int64]]:
    """What `save` kept, by the name of the observation."""
    with np.load(path, allow_pickle=False) as file:
        return {name.split("|", 1)[1]: file[name] for name in file.files}
