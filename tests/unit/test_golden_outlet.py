# SPDX-License-Identifier: Apache-2.0
"""OUTPUT of the model against the definition of the modes, one word at a time in plain integers."""

import numpy as np
import pytest

from antevolt.hdl.spec.flags import FLAG_BITS, Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Register
from antevolt.hdl.spec.outputs import OutputMode
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.sim.golden.memories import Memories
from antevolt.sim.golden.outlet import send

MACHINE = Machine(streams=3, contexts=2, io_depth=16)
UNITS, FIRST_WORD = 4, (5, 0)  # outputs, and where those of each context begin
OUTPUTS = [
    Operation(Kind.OUTPUT, context=context, n=UNITS, extra=first)
    for context, first in enumerate(FIRST_WORD)
]
R = MACHINE.formats.r
TOP, BOTTOM = (1 << 31) - 1, -(1 << 31)


def limited(value: int, low: int, high: int) -> tuple[int, int]:
    """The value within its range, and whether it was beyond."""
    return min(max(value, low), high), not low <= value <= high


class Plain:
    """The definition, for one stream after the other."""

    def __init__(self, machine: Machine, mode: int, every: int = 1, shift: int = 0):
        self.machine, self.mode, self.every, self.shift = machine, mode, every, shift
        self.sums: dict[tuple[int, int], int] = {}
        self.passed = self.saturated = 0

    def step(self, flags: list[int], raw: list[list[int]]) -> list[int]:
        out = []
        self.passed = (self.passed + 1) % (1 << 32)
        due = self.passed >= self.every
        for s, (flag, words) in enumerate(zip(flags, raw, strict=True)):
            valid, ends = flag & Flag.VALID, flag & Flag.VALID and flag & Flag.LAST
            sums = []
            if self.mode in (OutputMode.SUM, OutputMode.ARGMAX) and self.machine.sums:
                for i, word in enumerate(words):
                    before = 0 if flag & Flag.FIRST else self.sums.get((s, i), 0)
                    total, beyond = limited(before + word, BOTTOM, TOP)
                    if valid:
                        self.sums[s, i] = total
                        self.saturated += beyond
                    sums.append(total)
            sent: list[int] = []
            if self.mode == OutputMode.EVERY and due or self.mode == OutputMode.LAST and ends:
                sent = words
            elif self.mode == OutputMode.SUM and ends and sums:
                for total in sums:
                    value, beyond = limited(total >> self.shift, R.raw_min, R.raw_max)
                    self.saturated += beyond
                    sent.append(value)
            elif self.mode == OutputMode.ARGMAX and ends and sums:
                sent = [min(i for i, total in enumerate(sums) if total == max(sums))]
            out += [value % (1 << R.width) + (flag << R.width) for value in sent]
        if due:
            self.passed = 0
        return out

    def steps(self, flags: np.ndarray, words: np.ndarray) -> list[int]:
        rows = zip(flags.tolist(), words.tolist(), strict=True)
        return [word for flag, raw in rows for word in self.step(flag, raw)]


def memories(machine: Machine, plain: Plain) -> Memories:
    """With the registers as `plain` has them."""
    made = Memories(machine)
    made.registers[Register.OUTPUT_MODE] = plain.mode
    made.registers[Register.OUTPUT_EVERY] = plain.every
    made.registers[Register.OUTPUT_SHIFT] = plain.shift
    return made


def drawn(machine: Machine, steps: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Any flags, any words."""
    rng = np.random.default_rng(seed)
    shape = (steps, machine.total_streams)
    words = rng.integers(R.raw_min, R.raw_max + 1, (*shape, UNITS))
    words[rng.random(words.shape) < 0.2] = R.raw_max  # equals, for argmax
    return rng.integers(0, 1 << FLAG_BITS, shape), words


def same(made: Memories, plain: Plain) -> None:
    """Sums and registers."""
    columns = made.machine.streams
    for (s, i), total in plain.sums.items():
        context, column = divmod(s, columns)
        assert made.sums[column, FIRST_WORD[context] + i] == total
    assert made.registers[Register.OUTPUT_PASSED] == plain.passed
    assert made.registers[Register.SATURATED_SUMS] == plain.saturated


@pytest.mark.parametrize("mode", [*OutputMode, 5, 7])
@pytest.mark.parametrize(("every", "shift"), [(1, 0), (3, 2), (7, 9)])
def test_the_modes_are_their_definition(mode: int, every: int, shift: int) -> None:
    plain = Plain(MACHINE, mode, every, shift)
    made = memories(MACHINE, plain)
    flags, words = drawn(MACHINE, 60, seed=int(mode) + every)
    at = 0
    for size in (1, 1, 7, 20, 31):  # as many steps in one call as one likes
        places = slice(at, at + size)
        at += size
        found = send(made, OUTPUTS, flags[places], words[places]).tolist()
        assert found == plain.steps(flags[places], words[places])
        same(made, plain)
    sums = mode in (OutputMode.SUM, OutputMode.ARGMAX)
    assert bool(plain.sums) == sums
    assert (plain.saturated > 0) == (mode == OutputMode.SUM and shift < 9)


def test_sums_stop_at_32_bits() -> None:
    plain = Plain(MACHINE, OutputMode.SUM, shift=14)
    made = memories(MACHINE, plain)
    for s in range(MACHINE.total_streams):
        context, column = divmod(s, MACHINE.streams)
        for i, total in enumerate((TOP - 3, BOTTOM + 3, TOP, BOTTOM)):
            plain.sums[s, i] = made.sums[column, FIRST_WORD[context] + i] = total
    flags, words = drawn(MACHINE, 10, seed=1)
    flags &= ~int(Flag.FIRST)
    assert send(made, OUTPUTS, flags, words).tolist() == plain.steps(flags, words)
    assert {TOP, BOTTOM} & set(made.sums.ravel().tolist())
    same(made, plain)


@pytest.mark.parametrize("mode", OutputMode)
def test_a_core_without_sums(mode: OutputMode) -> None:
    machine = Machine(streams=3, contexts=2, io_depth=16, sums=False)
    plain = Plain(machine, mode, 2)
    made = memories(machine, plain)
    flags, words = drawn(machine, 40, seed=2)
    assert send(made, OUTPUTS, flags, words).tolist() == plain.steps(flags, words)
    same(made, plain)


@pytest.mark.parametrize(
    ("every", "passed", "due"),
    [
        (0, 0, True),
        (1, (1 << 32) - 1, False),
        (5, 4, True),
        (5, 3, False),
        (5, 900, True),
        (2, (1 << 32) - 1, False),
    ],
)
def test_when_every_is_due(every: int, passed: int, due: bool) -> None:
    """Also with numbers that only a host writes; the count has 32 bits."""
    plain = Plain(MACHINE, OutputMode.EVERY, every)
    plain.passed = passed
    made = memories(MACHINE, plain)
    made.registers[Register.OUTPUT_PASSED] = passed
    flags, words = drawn(MACHINE, 1, seed=3)
    found = send(made, OUTPUTS, flags, words)
    assert found.tolist() == plain.step(flags[0].tolist(), words[0].tolist())
    assert (found.size > 0) == due
    same(made, plain)


def test_one_context_of_two() -> None:
    """A program whose only OUTPUT is that of context 1 takes the flags of its streams."""
    plain = Plain(MACHINE, OutputMode.LAST)
    made = memories(MACHINE, plain)
    flags, words = drawn(MACHINE, 20, seed=4)
    found = send(made, OUTPUTS[1:], flags, words[:, 3:])
    assert found.tolist() == plain.steps(flags[:, 3:], words[:, 3:]) != []


def test_no_output_at_all() -> None:
    made = memories(MACHINE, Plain(MACHINE, OutputMode.SUM))
    assert send(made, [], np.zeros((3, 6), np.int64), np.zeros((3, 0, 0), np.int64)).tolist() == []
