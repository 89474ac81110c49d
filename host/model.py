# SPDX-License-Identifier: Apache-2.0
"""The fixed-point model as a device: compiled (`sim/golden/compiled.py`) or in numpy (`core.py`).

It counts the cycles that its program takes of a core whose streams never wait (`host/schedule.py`),
so that its counters read like a core's.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import AntevoltError, BadInput, Closed, DeadlineExceeded
from antevolt.hdl.spec.flags import INPUT_FLAG_BITS, target_follows
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.program import STRIDE, Kind, Operation
from antevolt.host.backend import Words
from antevolt.host.schedule import Timetable
from antevolt.host.targets import Targets
from antevolt.host.words import signed
from antevolt.sim.golden.compiled import make_core
from antevolt.sim.golden.core import GoldenCore, Observer

__all__ = ["ModelBackend", "NumpyBackend"]

COUNTERS = (Register.CYCLES, Register.BUSY)
PART = 0.1  # seconds, about, from one look at the clock to the next


class ModelBackend:
    """The backend protocol (`antevolt.host.backend`) on the golden model; it never waits.

    deadline  seconds that `run` may take
    """

    make: Callable[[Machine], GoldenCore] = staticmethod(make_core)

    def __init__(self, machine: Machine, deadline: float = 60.0):
        self.machine = machine
        self.deadline = deadline
        self._core: GoldenCore | None = self.make(machine)
        self._counted = dict.fromkeys(COUNTERS, 0)
        self._targets = Targets(machine)

    @property
    def core(self) -> GoldenCore:
        """The model itself; raises Closed."""
        if self._core is None:
            raise Closed("the model was closed; open a new device")
        return self._core

    @property
    def implementation(self) -> str:
        """What executes the steps: compiled, or numpy where nothing can be compiled."""
        return self.core.implementation

    @contextmanager
    def observed(self, observer: Observer) -> Iterator[None]:
        """Call `observer` after every operation, within a with statement."""
        self.core.observer = observer
        try:
            yield
        finally:
            self.core.observer = None

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        words = np.atleast_1d(np.asarray(data, dtype=np.int64))
        self.core.write(region, unit, index, words)
        self._targets.wrote(region)
        if region == Region.REGISTERS:
            for register in COUNTERS:
                if index <= register < index + words.size:
                    self._counted[register] = 0

    def read(self, region: Region, unit: int, index: int, count: int) -> Words:
        words = self.core.read(region, unit, index, count)
        if region == Region.REGISTERS:
            for register in COUNTERS:
                if index <= register < index + count:
                    words[register - index] = self._counted[register]
        return words

    def run(
        self,
        x_words: ArrayLike,
        y_words: ArrayLike,
        steps: int,
        outputs: int,
        words: int | None = None,
    ) -> Words:
        core, word, streams = self.core, self.machine.formats.word, self.machine.total_streams
        x_all = np.asarray(x_words, dtype=np.int64).reshape(steps, streams, -1)
        y_all, taken = np.asarray(y_words, dtype=np.int64), 0
        units = outputs // streams
        needed = int(np.count_nonzero(target_follows(x_all[:, :, 0] >> word))) * units
        if needed != y_all.size:
            raise BadInput(f"these steps take {needed} target words; {y_all.size} are there")
        x_all, y_all = self._targets.hold(x_all, y_all, steps)
        flags_all = x_all[:, :, 0] >> word & (1 << INPUT_FLAG_BITS) - 1
        wanted_all = target_follows(flags_all)
        x_all = signed(x_all, word)
        out: list[Words] = []
        cycles = cache(Timetable(self._operations(), self.machine).cycles)
        y_all = signed(y_all, word)
        end, done, part = time.monotonic() + self.deadline, 0, 1
        while done < steps:
            start = time.monotonic()
            if start > end:
                raise DeadlineExceeded(f"{done} of {steps} steps were done in {self.deadline:g} s")
            places = slice(done, min(done + part, steps))
            flags, wanted = flags_all[places], wanted_all[places]
            y = np.zeros((*flags.shape, units), dtype=np.int64)
            count = int(wanted.sum()) * units
            y[wanted] = y_all[taken : taken + count].reshape(-1, units)
            taken += count
            _, applied = core.steps(flags, x_all[places], y)
            out.append(core.sent)
            for targets, applies in zip(wanted.sum(axis=1).tolist(), applied.tolist(), strict=True):
                self._counted[Register.CYCLES] += cycles(targets, applies)
                self._counted[Register.BUSY] += cycles(targets, applies) - 1  # one idle before
            done += len(flags)
            if time.monotonic() - start < PART / 2:
                part *= 2
        sent = np.concatenate(out) if out else np.zeros(0, dtype=np.int64)
        if sent.size != (steps * outputs if words is None else words):
            raise AntevoltError(f"{sent.size} output words came, and not as many as were expected")
        return sent

    def close(self) -> None:
        """Let go of the model."""
        self._core = None

    def _operations(self) -> tuple[Operation, ...]:
        """The loaded program, as far as its END."""
        chunks = self.core.read(Region.PROGRAM, 0, 0, self.machine.program_depth * STRIDE)
        operations = []
        for words in chunks.reshape(-1, STRIDE).tolist():
            operations.append(Operation.decode(words))
            if operations[-1].kind == Kind.END:
                break
        return tuple(operations)


class NumpyBackend(ModelBackend):
    """The same in numpy, whatever could be compiled."""

    make = GoldenCore
