# SPDX-License-Identifier: Apache-2.0
"""Steps that apply what the host wrote: gradients, moments and time constants of any size."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.memory_map import DATA_BITS, Region, Register, size
from antevolt.hdl.spec.moments import SLOWEST
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Kind
from antevolt.host.compile import compile
from antevolt.host.random_samples import weights
from antevolt.host.schedule import schedule
from antevolt.sim.mutation.cases import full, learned, network
from antevolt.sim.mutation.drawn import moments, numbers, times
from antevolt.sim.mutation.machines import MACHINE
from antevolt.sim.mutation.placed import Offsets, load, program
from antevolt.sim.mutation.subject import CHANGED, Observation, Subject, look, steps

__all__ = ["applying", "carrying", "timing"]

FORMATS = MACHINE.formats
AGAIN = 2  # looks at what comes of the same words
EDGES = 0.5  # share of the gradients whose change of a weight is about to be rounded
APPLIED = 8  # steps from look to look
TIMINGS, TIMED = 8, 64  # draws of time constants; how many of them move in each
SLOWEST_TAU = 50  # largest k of a rate of time constants (`host.quantize.tau_rate`)


def applying(subject: Subject, n: int) -> Iterator[Observation]:
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
    operations = schedule(kept, MACHINE).operations
    load(backend, image, weights(own, n), Offsets(), operations, clean=False)
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


def carrying(subject: Subject, n: int) -> Iterator[Observation]:
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
    operations = schedule(kept, MACHINE).operations
    load(backend, image, weights(own, n), Offsets(), operations, clean=False)
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
        out = steps(subject, own, AGAIN * n + again, Flag.LEARN, APPLIED)
        yield Observation(f"{name}, part {again}, outputs", "output", out)
        yield from look(backend, f"{name}, part {again}", (*CHANGED, Region.REGISTERS))


def timing(subject: Subject) -> Iterator[Observation]:
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
        out = steps(subject, net, n, Flag.VALID)
        yield Observation(f"timing {n}, outputs", "output", out)
        for region, words in ((Region.TIMES, 4), (Region.COEFFICIENTS, 8)):
            found = backend.read(region, 0, words * start, words * TIMED)
            yield Observation(f"timing {n}, {region.name}", "memory", found)
    yield from look(backend, "timing", (Region.TIMES, Region.COEFFICIENTS))
