# SPDX-License-Identifier: Apache-2.0
"""The filter operations of the program: which words go into the filter units, and back.

Decoded once, when a program is loaded; `Memories` keeps [word, stream], the arithmetic [stream, n].
Twin of `hdl/core/neurons.py` and `column.py`.
"""

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.memory_map import KINDS, Register
from antevolt.hdl.spec.program import ERRORS, Bias, Cost, Kind, Operation
from antevolt.hdl.spec.roundings import PRE
from antevolt.sim.golden import filter as filters
from antevolt.sim.golden.arithmetic import Whole, factors, lookup
from antevolt.sim.golden.memories import Exact, Memories
from antevolt.sim.golden.streams import Streams, keep
from antevolt.sim.golden.time_constants import add

__all__ = ["ErrorFilter", "Exp", "Membrane", "Norm", "Trace"]


class _Filter:
    """Coefficients and state of a population; saturations go to the registers."""

    def __init__(self, memories: Memories, op: Operation):
        self.memories, self.op = memories, op
        self.neurons = slice(op.neurons, op.neurons + op.n)
        self.io = slice(op.extra, op.extra + op.n)
        self._streams: Streams | None = None
        self._coefficients: tuple[Whole, Whole, Whole] | None = None
        self._tuned = -1

    @property
    def coefficients(self) -> tuple[Whole, Whole, Whole]:
        """Factors [S, n] each; TIMES changes them while a program runs."""
        if self._coefficients is None or self._tuned != self.memories.tuned:
            self._coefficients, self._tuned = self._factors(), self.memories.tuned
        return self._coefficients

    def _factors(self) -> tuple[Whole, Whole, Whole]:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        mode = int(op.kind in ERRORS)
        place = slice(op.weights, op.weights + (1 if op.shared else op.n))
        words = memories.shift[place, mode] << f.word | (
            memories.mantissa[place, mode] & (1 << f.word) - 1
        )
        if op.shared:
            words = np.repeat(words, op.n, axis=0)
        streams = memories.machine.streams  # rows [S, n]: numpy is faster without broadcasting
        first, second, third = (np.tile(factors(words[:, n], f), (streams, 1)) for n in range(3))
        return first, second, third

    def count(self, kind: str, limited: NDArray[np.bool_] | None) -> None:
        if limited is not None and self._streams is not None:
            valid = self._streams.valid
            number = Register.SATURATED + KINDS.index(kind)
            self.memories.registers[number] += int(
                np.count_nonzero(limited if valid is None else limited[valid])
            )

    def read(self, memory: Exact, place: slice, zero: NDArray[np.bool_] | None) -> Whole:
        """[S, n], a copy; zero for these streams."""
        values = memory[place].T.copy()  # with one stream, `.T` alone is contiguous already
        if zero is not None:
            values[zero] = 0
        return values

    def tables(self) -> filters.Tables | None:
        """Made at the first use after a load; None: linear."""
        if not self.op.table:
            return None
        memories, first = self.memories, 2 * (self.op.table - 1)
        cache: dict[tuple[int, int], filters.Tables] = memories.__dict__.setdefault("_tables", {})
        name = (first, memories.loaded)
        if name not in cache:
            f, log2 = memories.machine.formats, memories.machine.phi_log2
            phi, slope = (lookup(memories.phi[first + n], f, log2) for n in range(2))
            for old in [other for other in cache if other[1] != memories.loaded]:
                del cache[old]  # tables of before this load
            cache[name] = filters.Tables(phi, slope)
        return cache[name]


class Membrane(_Filter):
    """u, r and r' from drained sums acc [S, groups R]."""

    def __call__(self, streams: Streams, acc: Whole) -> None:
        op, memories = self.op, self.memories
        self._streams = streams
        s = filters.drive(acc[:, : op.n].copy(), memories.machine.formats, self.count)
        r = self.filter(streams, s, streams.starting if op.prior else None)
        if op.output:
            keep(memories.output[self.io], r, streams)
        largest = r.max(axis=1, keepdims=True).astype(np.float64)
        memories.largest = largest if op.head else np.maximum(memories.largest, largest)

    def filter(
        self, streams: Streams, s: Whole, before: NDArray[np.bool_] | None
    ) -> Whole | NDArray[np.float32]:
        """r from s, which is used up; e is zero for the streams `before`."""
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        e = self.read(memories.e, self.neurons, before)
        u = self.read(memories.u, self.neurons, streams.starting)
        kept: list[Whole] | None = [] if memories.machine.time_constants else None
        u_next, r, slope = filters.membrane(
            s, e, u, self.coefficients, self.tables(), f, self.count, kept
        )
        if kept and op.kind == Kind.MEMBRANE:
            keep(memories.d[self.neurons], kept[0], streams)
        keep(memories.u[self.neurons], u_next, streams)
        keep(memories.slope[self.neurons], slope, streams)
        first = 2 * op.rates + op.odd
        keep(memories.rates[first : first + op.n], r, streams)
        if (op.odd + op.n) % 2:
            one = 1 << f.r.frac if op.bias == Bias.HIGH else 0
            last = np.full((memories.machine.streams, 1), one, dtype=np.float64)
            keep(memories.rates[first + op.n : first + op.n + 1], last, streams)
        return r


class Trace(Membrane):
    """The membrane filter on rates from the output memory."""

    def __call__(self, streams: Streams, acc: Whole) -> None:
        op, memories = self.op, self.memories
        self._streams = streams
        before = streams.starting if op.prior else None
        s = self.read(memories.output, self.io, before)
        s *= 2.0**memories.machine.formats.guard
        self.filter(streams, s, before)


class Exp(_Filter):
    """exp(gain (z - largest)) into the q memory, and their sum."""

    def __call__(self, streams: Streams) -> None:
        memories, f = self.memories, self.memories.machine.formats
        z = self.read(memories.output, self.io, streams.starting if self.op.prior else None)
        s = filters.below_largest(z, memories.largest, f)
        zero = np.zeros_like(s)
        e = self.read(memories.e, self.neurons, streams.starting if self.op.prior else None)
        _, r, _ = filters.membrane(
            s, e, zero, self.coefficients, self.tables(), f, lambda kind, limited: None
        )
        keep(memories.q[self.neurons], r, streams)
        memories.total = r.sum(axis=1, keepdims=True, dtype=np.float64)


class Norm(_Filter):
    """Exponentials in the q memory become shares of their sum."""

    def __call__(self, streams: Streams) -> None:
        memories, f = self.memories, self.memories.machine.formats
        q = self.read(memories.q, self.neurons, streams.starting if self.op.prior else None)
        scale = filters.share(memories.total, f) * 2.0 ** (PRE - filters.share_shift(f))
        one = np.full_like(q, 1 << f.r.frac)
        _, a_r, kappa = self.coefficients
        _, share = filters.error(
            q, one, np.zeros_like(q), (scale, a_r, kappa), f, lambda kind, limited: None
        )
        keep(memories.q[self.neurons], share, streams)


class ErrorFilter(_Filter):
    """v and e; with `g` the sums that move the time constants."""

    def __call__(self, streams: Streams, fresh: bool = False) -> None:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        self._streams = streams
        before = streams.starting if op.prior else None
        if op.cost == Cost.HIDDEN:
            q = self.read(memories.q, self.neurons, before)
        else:
            y = np.ascontiguousarray(memories.target[self.io].T)
            softmax = op.cost == Cost.SOFTMAX
            r = self.read(
                memories.q if softmax else memories.output,
                self.neurons if softmax else self.io,
                before,
            )
            there = np.ones(len(y), bool) if streams.targeted is None else streams.targeted
            q = filters.difference(y, r, there)
        slope = self.read(memories.slope, self.neurons, before)
        v = self.read(memories.v, self.neurons, streams.starting)
        kept: list[Whole] | None = [] if op.g else None
        v_next, e = filters.error(q, slope, v, self.coefficients, f, self.count, kept)
        if kept:
            add(memories, op, streams, (e, kept[0]), fresh)
        keep(memories.v[self.neurons], v_next, streams)
        keep(memories.e[self.neurons], e, streams)
