# SPDX-License-Identifier: Apache-2.0
"""The short comparison: everything that a core shows while it does a little of all it can do.

`observe` drives a core and gives what it sees as named integers, of the model or of a netlist;
two cores are equal when all of these are. Seen are output words, all memories, registers and
cycles: after random words everywhere, after steps on random words (coefficients, states, tables,
gradients, moments, time constants), after steps of networks (both schedules, anywhere in the
memories, at full scale, streams that pause), in all output modes, and after a reset inside a step.
`observe_short` does a little of that on a core of short words.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.memory_map import (
    DATA_BITS,
    OUTPUT_SUM_BITS,
    Region,
    Register,
    size,
)
from antevolt.hdl.spec.moments import CARRYING, Rule
from antevolt.hdl.spec.network import Network
from antevolt.host.compile import compile
from antevolt.host.outputs import OutputSetting, Sent
from antevolt.host.quantize import learns_times
from antevolt.host.random_samples import random_batch, weights
from antevolt.host.samples import Batch, Sizes
from antevolt.host.verify_worker import memories
from antevolt.sim.mutation.applied import applying, carrying, timing
from antevolt.sim.mutation.cases import (
    Case,
    cases,
    graph,
    learned,
    narrow,
    network,
    of_short_words,
)
from antevolt.sim.mutation.drawn import fill, numbers, times
from antevolt.sim.mutation.machines import MACHINE
from antevolt.sim.mutation.placed import Offsets, load, slow
from antevolt.sim.mutation.subject import CHANGED, Observation, Subject, look, registers, steps

__all__ = ["observe", "observe_short"]

Words = NDArray[np.int64]

FORMATS = MACHINE.formats
WORD_BITS = 36
PARTS = 3  # per case
COUNTED = (Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT, Register.SLOTS)
DRAWS = 8  # of all that a step works on
RATES, SUMS = 24, 8  # of learning, at which gradients are applied; also carried on
AGAIN = 2  # looks at what comes of the same words
STATES = (Region.RATES, Region.STATE, Region.PARTNER, Region.Q, Region.OUTPUT)


def observe(subject: Subject) -> Iterator[Observation]:
    """What the core shows, in order; whoever finds a difference need not go on."""
    backend = subject.backend
    *before, after = cases()
    yield from _scattered(subject, 1)
    yield from _run(subject, before[0])
    yield from _drawn(subject)
    for n in range(RATES):
        yield from applying(subject, n)
    for n in range(SUMS):
        yield from carrying(subject, n)
    yield from timing(subject)
    for case in before[1:]:
        yield from _run(subject, case)
    yield from _outputs(subject)
    yield from _counting(subject, before[0])
    for turn in (1, -1):
        yield from _each_register(subject, before[2], turn)
    net = after.network
    x, _ = after.batch(backend.machine).words(backend.machine.formats)
    subject.interrupt(x[: net.inputs + 1])
    yield Observation("registers after a reset", "memory", registers(backend))
    yield from _scattered(subject, 2)
    yield from _run(subject, after)
    yield from look(backend, "at the end", Region)


def observe_short(subject: Subject) -> Iterator[Observation]:
    """The same of a core like `SHORT`, as far as its words are concerned."""
    yield from _scattered(subject, 1)
    for case in of_short_words():
        yield from _run(subject, case)
    yield from look(subject.backend, "at the end", Region)


def _learns(network: Network) -> bool:
    """Some of its time constants do."""
    return any(map(learns_times, network.populations))


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
            out = steps(subject, net, AGAIN * n + again, Flag.VALID)
            yield Observation(f"{name}, outputs", "output", out)
            yield from look(backend, name, (*STATES, *CHANGED, Region.REGISTERS))
        if _learns(net):
            yield from look(backend, name, (Region.COEFFICIENTS, Region.TIMES))


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
        yield from look(backend, f"outputs {n}, {mode}", (Region.SUMS, Region.REGISTERS))


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
        yield from look(backend, f"counting, step {n}", (Region.REGISTERS, Region.WEIGHTS))


def _each_register(subject: Subject, case: Case, turn: int) -> Iterator[Observation]:
    """Registers written one by one, in any order and (`turn` -1) the other way round, so that each
    is written while any other one holds what steps have counted."""
    backend, rng = subject.backend, np.random.default_rng(2)
    yield from _run(subject, replace(case, name=f"{case.name}, turn {turn}"))
    for n in rng.permutation(size(backend.machine, Region.REGISTERS)[1])[::turn].tolist():
        backend.write(Region.REGISTERS, 0, n, rng.integers(0, 1 << WORD_BITS, 1))
        yield from look(backend, f"turn {turn}, register {n}", [Region.REGISTERS])


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
        yield from look(backend, name, (*changed, Region.REGISTERS))
    subject.stall(0, case.seed)
    more = (Region.COEFFICIENTS, Region.TIMES) if _learns(net) else ()
    yield from look(backend, case.name, (*STATES, *more))
    off = subject.clock_error() - clock
    yield Observation(f"{case.name}, the register CYCLES", "cycles", np.array([off]))
