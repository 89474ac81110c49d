# SPDX-License-Identifier: Apache-2.0
"""The core as a compiled model: `GoldenCore`, its steps executed by `twin.cpp`, bit for bit alike.

It works on the same memories, so that reading, writing and loading are those of the numpy model.
That one takes over, with equal results, where an observer looks on, and for programs that no
compiler makes.
How much faster it is: `python -m antevolt.host.model_speed`.
"""

import ctypes
import functools
import weakref
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rich.console import Console

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Register
from antevolt.hdl.spec.moments import NEEDS, ROOTS, SLOWEST, SQUARES, Rule, knows
from antevolt.hdl.spec.program import FILTERS, Kind, Operation
from antevolt.hdl.spec.time_constants import ONE
from antevolt.sim.golden.arithmetic import signed
from antevolt.sim.golden.core import GoldenCore
from antevolt.sim.golden.library import library

__all__ = ["CompiledCore", "make_core"]

OPERANDS = (
    *("kind", "context", "prior", "bias", "q", "g", "cost", "output", "table", "n", "words"),
    *("groups", "interval", "weights", "rates", "neurons", "extra", "head", "tail", "prior_e"),
    *("odd", "keep", "skip", "rows", "shared"),
)
"""As in `struct Operation`, which has three numbers more."""

FEW = 8  # streams; fewer are no vector, and all neurons of an operation are taken as one
ARRAYS = ("weights", "gradients", "rates", "u", "v", "e", "slope", "q", "output", "target",
          "partial_q", "moments")  # fmt: skip
OF_TIMES = ("mantissa", "shift", "times")
"""Memories that both models work on in place."""


class _Settings(ctypes.Structure):
    """As `struct Settings`."""

    _fields_ = [
        *(
            (name, ctypes.c_int64)
            for name in (
                *("machine_rows", "streams", "contexts", "w_depth", "phi_log2", "operations"),
                *("inputs", "outputs", "output_rows", "repeated", "tau_depth", "keeps_d"),
                "apply_rows",
                *("word", "guard", "q_drop", "g_drop", "g_width", "w_frac", "r_frac", "e_frac"),
                *("u_frac", "drive_frac", "q_frac"),
            )
        ),
        *(
            (name, ctypes.c_void_p)
            for name in ("program", "coefficients", "tables", *ARRAYS, "largest", "total", "d")
        ),
        *((name, ctypes.c_void_p) for name in ("registers", *OF_TIMES, "squares", "roots")),
    ]


class _Program:
    """A loaded program in C, and the arrays it works on."""

    def __init__(self, core: GoldenCore, decoded: list[tuple[Operation, Any]]):
        m, f, memories = core.machine, core.machine.formats, core.memories
        repeated = m.streams if m.streams < FEW else 1
        rows, first, given = [], 0, 0
        outputs = [op for op, _ in decoded if op.kind == Kind.OUTPUT]
        for op, run in decoded:
            slots = run.slots if op.kind in (Kind.FORWARD, Kind.BACK) else 0
            rows.append([*(getattr(op, name) for name in OPERANDS), first, given, slots])
            if op.kind in FILTERS:
                first += 3 * op.n * repeated
            if op.kind == Kind.OUTPUT:
                given += m.streams
        self.rows, self.units = (given, outputs[0].n) if outputs else (m.total_streams, 0)
        self.largest, self.total = np.zeros(m.streams), np.zeros(m.streams)
        self.registers = np.zeros(len(memories.registers), dtype=np.int64)
        self._filters = [run for op, run in decoded if op.kind in FILTERS]
        self._repeated = repeated
        self.coefficients = np.zeros(first)
        self.tuned = -1
        self._kept = {
            "program": np.array(rows, dtype=np.int32),
            "coefficients": self.coefficients,
            "tables": _tables(core),
            **{name: getattr(memories, name) for name in (*ARRAYS, "d", *OF_TIMES)},
            "largest": self.largest,
            "total": self.total,
            "registers": self.registers,
            "squares": np.array(SQUARES, dtype=np.int64),
            "roots": np.array(ROOTS, dtype=np.int64),
        }
        counts = {
            kind: next((op.n for op, _ in decoded if op.kind == kind), 0)
            for kind in (Kind.INPUT, Kind.TARGET)
        }
        settings = _Settings(
            machine_rows=m.rows,
            streams=m.streams,
            contexts=m.contexts,
            w_depth=m.w_depth,
            phi_log2=m.phi_log2,
            operations=len(decoded),
            inputs=counts[Kind.INPUT],
            outputs=counts[Kind.TARGET],
            output_rows=self.rows * self.units,
            repeated=repeated,
            tau_depth=m.coefficient_depth,
            keeps_d=int(m.time_constants),
            apply_rows=m.apply_rows,
            word=f.word,
            guard=f.guard,
            q_drop=f.q_drop,
            g_drop=f.g_drop,
            g_width=f.g.width,
            w_frac=f.w.frac,
            r_frac=f.r.frac,
            e_frac=f.e.frac,
            u_frac=f.u.frac,
            drive_frac=f.drive.frac,
            q_frac=f.q.frac,
            **{name: array.ctypes.data for name, array in self._kept.items()},
        )
        made = library()
        if made.twin_sizes() != 1000 * ctypes.sizeof(_Settings) + 4 * len(rows[0]):
            raise RuntimeError("twin.cpp and compiled.py disagree on what they exchange")
        self.handle = made.twin_new(ctypes.byref(settings))
        if not self.handle:
            raise MemoryError("no memory for the compiled model")
        weakref.finalize(self, made.twin_free, self.handle)

    def tune(self, tuned: int) -> None:
        """Take the coefficients as they are now; the C keeps up with what it changes itself."""
        if self.tuned != tuned:
            parts = [part[0] for run in self._filters for part in run.coefficients]
            self.coefficients[:] = np.repeat(np.concatenate([np.zeros(0), *parts]), self._repeated)
            self.tuned = tuned


class CompiledCore(GoldenCore):
    """A `GoldenCore` that is fast; raises BuildFailed where it cannot be compiled."""

    def __init__(self, machine: Machine):
        super().__init__(machine)
        library()
        self._program: _Program | None = None
        self._beyond: list[int] = []  # operations that numpy executes
        self._timed: list[int] = []  # coefficients that TIMES changes
        self._made = -1

    @property
    def implementation(self) -> str:
        left_to_numpy = self._made == self._loaded != -1 and self._program is None
        return "numpy" if left_to_numpy else "compiled"

    def step(self, flags: ArrayLike, x: ArrayLike, y: ArrayLike) -> Raw:
        if self._compiled() is None:
            return super().step(flags, x, y)
        given = (np.asarray(values, dtype=np.int64)[None] for values in (flags, x, y))
        out: Raw = self.steps(*given)[0][0]
        return out

    def steps(self, flags: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[Raw, NDArray[np.bool_]]:
        program = self._compiled()
        if program is None:
            return super().steps(flags, x, y)
        words, inputs, targets = (
            np.ascontiguousarray(values) for values in self._checked(flags, x, y)
        )
        out = np.empty((len(words), program.rows, program.units), dtype=np.int64)
        applied = np.zeros(len(words), dtype=np.uint8)
        arrays = words, inputs, targets, out
        self._hand_over(program)
        try:
            if not self._beyond:
                places = [array.ctypes.data for array in (*arrays, applied)]
                library().twin_steps(program.handle, len(words), *places)
            else:
                for n in range(len(words)):
                    applied[n] = self._step_with_numpy(program, [array[n] for array in arrays])
        finally:
            self._take_back(program)
        self.sent = self._send(words, out)
        return out, applied.astype(np.bool_)

    def _step_with_numpy(self, program: _Program, arrays: list[Raw]) -> bool:
        """One step in which numpy executes some APPLY."""
        made = library()
        due = bool(made.twin_begin(program.handle, *(array.ctypes.data for array in arrays)))
        start = 0
        for number in self._beyond:
            made.twin_run(program.handle, start, number)
            if due:
                self._take_back(program)
                saturated = self._decoded[number][1]()
                self.memories.registers[Register.SATURATED + KINDS.index("w")] += saturated
                self._hand_over(program)
            start = number + 1
        made.twin_run(program.handle, start, len(self._decoded))
        return due

    def _hand_over(self, program: _Program) -> None:
        """What the numpy model does not keep in place."""
        program.tune(self.memories.tuned)
        program.registers[:] = self.memories.registers
        program.largest[:] = self.memories.largest[:, 0]
        program.total[:] = self.memories.total[:, 0]

    def _take_back(self, program: _Program) -> None:
        self.memories.registers[:] = program.registers.tolist()
        self.memories.largest = program.largest[:, None].copy()
        self.memories.total = program.total[:, None].copy()
        self.memories.weighed += 1
        self.memories.tuned += 1
        program.tuned = self.memories.tuned

    def _compiled(self) -> _Program | None:
        """The loaded program in C; None where numpy has to run it."""
        self._decode()
        if self.observer is not None:
            return None
        if self._made != self._loaded:
            self._program = _Program(self, self._decoded) if self._known() else None
            self._timed = [
                neuron
                for op, _ in self._decoded
                if op.kind == Kind.TIMES
                for neuron in range(op.weights, op.weights + op.n)
            ]
            self._beyond = [
                n
                for n, (op, _) in enumerate(self._decoded)
                if op.kind == Kind.APPLY and not _has_rule(self.machine, op)
            ]
            self._made = self._loaded
        moving = self.memories.times[:2, self._timed]
        return self._program if moving.size == 0 or moving.min() >= ONE else None

    def _known(self) -> bool:
        """Whether the C may run the program.

        Beyond what `_decode` refuses, that is: all places are inside the memories, whatever other
        operands say, and what an operation takes from the ones before is there.
        """
        f, widths, sums = self.machine.formats, dict[Kind, int](), 0
        least = 0 if f.word < 18 else 1  # TINY of twin_array.h is too large for these
        if not (
            f.guard <= 12 and least <= min(f.q_drop, f.g_drop) <= max(f.q_drop, f.g_drop) <= 16
        ):
            return False
        if f.accumulator > 50:
            return False
        for op, run in self._decoded:
            if op.kind > Kind.TIMES or not _inside(self.machine, op):
                return False
            if op.kind in FILTERS and run.coefficients[0].shape[1] != op.n:
                return False
            if op.kind in (Kind.INPUT, Kind.TARGET, Kind.OUTPUT):
                if widths.setdefault(op.kind, op.n) != op.n:
                    return False
            elif op.kind == Kind.FORWARD:
                targets = op.groups * self.machine.rows
                if not op.head and targets != sums:
                    return False
                sums = targets
            elif op.kind == Kind.MEMBRANE and op.n > sums:
                return False
        return True


def _inside(m: Machine, op: Operation) -> bool:
    pairs = -(-op.words // 2) if op.kind == Kind.BACK else op.words
    targets = op.groups * m.rows
    swept = op.words > 0 and op.groups > 0 and op.weights + op.groups * pairs <= m.w_depth
    neurons = op.n > 0 and op.neurons + op.n <= m.state_depth
    seen = op.extra + op.n <= m.io_depth
    written = op.rates + (op.n + op.odd + 1) // 2 <= m.r_depth
    timed = m.time_constants and op.n > 0 and op.weights + op.n <= m.coefficient_depth
    known = {
        Kind.INPUT: written and (seen or not op.output),
        Kind.TARGET: seen,
        Kind.OUTPUT: seen,
        Kind.FORWARD: swept and op.rates + pairs <= m.r_depth,
        Kind.MEMBRANE: neurons and written and (seen or not op.output),
        Kind.TRACE: neurons and written and seen,
        Kind.EXP: neurons and seen,
        Kind.NORM: neurons,
        Kind.ERROR: neurons and (seen or not op.cost) and (timed or not op.g),
        Kind.BACK: swept
        and op.rates + pairs <= m.r_depth
        and op.neurons + targets <= m.state_depth
        and (not op.q or (0 < op.n <= op.words and op.extra + op.n <= m.state_depth)),
        Kind.APPLY: swept,
        Kind.TIMES: timed,
        Kind.END: True,
    }
    table = op.kind == Kind.APPLY or op.table <= m.tables  # there it is the rule
    return known[op.kind] and op.context < m.contexts and table


def _has_rule(m: Machine, op: Operation) -> bool:
    """The C knows the rule of an APPLY, and the core keeps what it needs."""
    if op.table not in NEEDS:
        return False
    known = knows(m.moments, m.carry, Rule(op.table))
    return known and max(op.rates, op.neurons) <= SLOWEST


def _tables(core: GoldenCore) -> NDArray[np.float64]:
    """[table, interval, 4]: value and slope of phi, then of phi', as `struct Interval`."""
    f, phi = core.machine.formats, core.memories.phi
    value, slope = (signed(phi >> n, f.word) for n in (0, f.word))
    both = np.stack([value * 2.0**f.guard, slope * 2.0 ** -(f.word - 2 - f.guard)], axis=-1)
    pairs = both.reshape(core.machine.tables, 2, 1 << core.machine.phi_log2, 2)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1, 3))


@functools.cache
def _say(why: str) -> None:
    Console(stderr=True).print(
        f"antevolt: the model runs in numpy, which is slower: {why}", style=None, highlight=False
    )


def make_core(machine: Machine) -> GoldenCore:
    """A compiled core, or, where there is no compiler, one in numpy; says so once."""
    try:
        return CompiledCore(machine)
    except BuildFailed as error:
        _say(str(error))
        return GoldenCore(machine)
