# SPDX-License-Identifier: Apache-2.0
"""Which outputs leave the core, and what comes of some steps: known from the flags alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import AntevoltError, BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.outputs import NEEDS_SUMS, SHIFT_BITS, OutputMode
from antevolt.host.backend import Access, Backend
from antevolt.host.samples import Sizes
from antevolt.host.words import signed

__all__ = ["Output", "OutputSetting", "Sent"]

DRAWN = (*OutputMode, OutputMode.EVERY, OutputMode.EVERY, OutputMode.SUM, OutputMode.LAST)
"""Modes in the share in which comparisons draw them."""
LARGEST = (1 << 32) - 1


class Output(NamedTuple):
    """What one step put out.

    step     counted from the first step of the call
    streams  the streams whose outputs came, ascending
    values   theirs, [streams, outputs]; in mode argmax the numbers [streams], integers
    """

    step: int
    streams: NDArray[np.int64]
    values: NDArray[Any]


@dataclass(frozen=True)
class OutputSetting:
    """An output mode (`hdl/spec/outputs.py`) and its constants.

    mode   "every", "last", "sum", "argmax", "none"
    every  of the mode every: steps from one output to the next
    shift  of the mode sum: sums are put out divided by 2^shift, rounded down
    """

    mode: str = "every"
    every: int = 1
    shift: int = 0

    def __str__(self) -> str:
        constant = {"every": self.every, "sum": self.shift}.get(self.mode)
        return self.mode + ("" if constant is None else f" {constant}")

    @classmethod
    def random(cls, seed: int, machine: Machine) -> Self:
        """A mode that this core has."""
        rng = np.random.default_rng(seed)
        modes = [mode for mode in DRAWN if machine.sums or mode not in NEEDS_SUMS]
        name = modes[int(rng.integers(len(modes)))].name.lower()
        return cls(name, int(rng.integers(1, 9)), int(rng.integers(0, 8)))

    def check(self, machine: Machine) -> Self:
        """Itself; raises BadInput for what this core has not."""
        names = [mode.name.lower() for mode in OutputMode]
        if self.mode not in names:
            raise BadInput(f"the output mode is {self.mode!r}; there are {', '.join(names)}")
        if self.number in NEEDS_SUMS and not machine.sums:
            raise BadInput(f"the output mode is {self.mode}; it needs a core with sums")
        for name, low, high in (("every", 1, LARGEST), ("shift", 0, (1 << SHIFT_BITS) - 1)):
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise BadInput(f"{name} is {value!r}; it is an integer {low}..{high}")
        return self

    @property
    def number(self) -> OutputMode:
        return OutputMode[self.mode.upper()]

    def write(self, backend: Access) -> None:
        """Set it; the next output of the mode every is `every` steps away."""
        for register, value in (
            (Register.OUTPUT_MODE, int(self.number)),
            (Register.OUTPUT_EVERY, self.every),
            (Register.OUTPUT_PASSED, 0),
            (Register.OUTPUT_SHIFT, self.shift),
        ):
            backend.write(Region.REGISTERS, 0, register, [value])

    def words(self, flags: Raw, passed: int, outputs: int) -> Raw:
        """[T] output words of steps with these flags [T, S], `passed` steps since the last ones."""
        steps, streams = flags.shape
        if self.number == OutputMode.NONE:
            return np.zeros(steps, dtype=np.int64)
        if self.number == OutputMode.EVERY:
            wait = max(0, self.every - (passed + 1 & LARGEST))
            ahead = np.arange(steps) - wait
            due = (ahead >= 0) & (ahead % self.every == 0)
            return np.where(due, streams * outputs, 0)
        per_stream = 1 if self.number == OutputMode.ARGMAX else outputs
        ended: Raw = np.count_nonzero(_ended(flags), axis=1)
        return ended * per_stream


@dataclass(frozen=True)
class Sent:
    """What a core is about to put out: its setting, and the steps passed since the last output."""

    setting: OutputSetting
    passed: int

    @classmethod
    def read(cls, backend: Backend) -> Self:
        """As the core's registers have it."""
        first = Register.OUTPUT_MODE
        words = backend.read(Region.REGISTERS, 0, first, 4).tolist()
        mode, every, passed, shift = (
            words[register - first]
            for register in (
                Register.OUTPUT_MODE,
                Register.OUTPUT_EVERY,
                Register.OUTPUT_PASSED,
                Register.OUTPUT_SHIFT,
            )
        )
        known = OutputMode(mode) if mode in set(OutputMode) else OutputMode.NONE
        if known in NEEDS_SUMS and not backend.machine.sums:
            known = OutputMode.NONE
        return cls(OutputSetting(known.name.lower(), max(1, every), shift), passed)

    def words(self, flags: Raw, outputs: int) -> Raw:
        return self.setting.words(flags, self.passed, outputs)

    def parse(self, words: Raw, flags: Raw, sizes: Sizes, start: int) -> Iterator[Output]:
        """The outputs of steps that begin with number `start`, out of their words."""
        counts = self.words(flags, sizes.outputs)
        if words.size != counts.sum():
            raise AntevoltError(f"{words.size} output words came, {counts.sum()} are due")
        number, every = self.setting.number, np.arange(flags.shape[1])
        raw = signed(words, sizes.formats.word)  # at once: a step may be no more than one word
        real, at = sizes.formats.r.to_real(raw), 0
        for step in np.flatnonzero(counts).tolist():
            own = slice(at, at + int(counts[step]))
            at = own.stop
            streams = every if number == OutputMode.EVERY else np.flatnonzero(_ended(flags[step]))
            if number == OutputMode.ARGMAX:
                yield Output(start + step, streams, raw[own])
            else:
                yield Output(start + step, streams, real[own].reshape(-1, sizes.outputs))


def _ended(flags: Raw) -> NDArray[np.bool_]:
    both = int(Flag.VALID | Flag.LAST)
    return np.asarray(flags & both == both)
