# SPDX-License-Identifier: Apache-2.0
"""What is compared: a core that is driven, and what is seen of it as named integers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register, size
from antevolt.hdl.spec.network import Network
from antevolt.host.backend import Backend
from antevolt.host.model import NumpyBackend
from antevolt.host.random_samples import random_batch
from antevolt.host.samples import Sizes
from antevolt.host.verify_worker import words_of

__all__ = [
    "CHANGED",
    "PATIENCE",
    "STOP",
    "Comparison",
    "Model",
    "Observation",
    "Subject",
    "load_kept",
    "look",
    "registers",
    "save",
    "steps",
]

Words = NDArray[np.int64]

CHANGED = (Region.WEIGHTS, Region.GRADIENTS, Region.MOMENTS)
"""Looked at often; looking at everything takes long."""
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


Comparison = Callable[[Subject], Iterator[Observation]]


def registers(backend: Backend) -> Words:
    """Without those that count cycles."""
    found = backend.read(Region.REGISTERS, 0, 0, size(backend.machine, Region.REGISTERS)[1])
    timed = (Register.CYCLES, Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT)
    found[list(timed)] = 0
    return found


def look(backend: Backend, name: str, regions: Iterable[Region]) -> Iterator[Observation]:
    for region in regions:
        found = registers(backend) if region == Region.REGISTERS else words_of(backend, region)
        yield Observation(f"{name}, {region.name}", "memory", found)


def steps(subject: Subject, network: Network, seed: int, more: Flag, count: int = 1) -> Words:
    """The outputs of steps with random samples and flags; `more`: those that all streams have with
    every other seed."""
    backend, machine = subject.backend, subject.backend.machine
    sizes = Sizes(machine.total_streams, network.inputs, network.outputs, machine.formats)
    batch = random_batch(sizes, count, seed, "stress" if seed % 3 == 0 else "normal")
    if seed % 2:
        batch.flags[:] |= int(more)
    x, y = batch.words(machine.formats)
    return backend.run(x, y, count, sizes.streams * sizes.outputs)


def save(path: Path, subject: Subject, comparison: Comparison) -> int:
    """Keep all observations of a core; returns how many integers these are."""
    seen = {f"{o.kind}|{o.name}": o.numbers for o in comparison(subject)}
    np.savez(path, **seen)  # type: ignore[arg-type]
    return sum(numbers.size for numbers in seen.values())


def load_kept(path: Path) -> dict[str, NDArray[np.int64]]:
    """What `save` kept, by the name of the observation."""
    with np.load(path, allow_pickle=False) as file:
        return {name.split("|", 1)[1]: file[name] for name in file.files}
