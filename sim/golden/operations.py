# SPDX-License-Identifier: Apache-2.0
"""The operations of the program on the memories: which words go into the arithmetic, and back.

Decoded once, when a program is loaded; `Memories` keeps [word, stream], the arithmetic [stream, n].
"""

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.dither import dither, key
from antevolt.hdl.spec.memory_map import KINDS, Register
from antevolt.hdl.spec.moments import KEYS, Rule
from antevolt.hdl.spec.program import Bias, Kind, Operation
from antevolt.sim.golden import filter as filters
from antevolt.sim.golden.apply import apply
from antevolt.sim.golden.arithmetic import Limits, Whole, factors, half_up, lookup
from antevolt.sim.golden.array import back, forward, gradient
from antevolt.sim.golden.direction import Decay, direction
from antevolt.sim.golden.memories import Exact, Memories
from antevolt.sim.golden.streams import Streams

__all__ = ["Apply", "Back", "ErrorFilter", "Forward", "Membrane"]


class _Sweep:
    """Weights of a projection and the rates of its source."""

    def __init__(self, memories: Memories, op: Operation):
        self.memories, self.op = memories, op
        self.rows = memories.machine.rows
        self.pairs = -(-op.words // 2) if op.kind == Kind.BACK else op.words
        self.columns = op.words if op.kind == Kind.BACK else 2 * op.words
        self.first = slice(2 * op.weights, 2 * (op.weights + op.groups * self.pairs))
        self.slots = op.words * op.groups
        self._weights: Whole | None = None
        self._seen = -1

    def matrix(self, banks: Exact) -> Whole:
        """[groups R, 2 pairs] out of the row banks: neuron i is in row i % R; a copy."""
        grouped = banks[:, self.first].reshape(self.rows, self.op.groups, 2 * self.pairs)
        return grouped.transpose(1, 0, 2).reshape(self.op.groups * self.rows, 2 * self.pairs)

    def put(self, banks: Exact, matrix: Whole) -> None:
        """Inverse of `matrix`."""
        grouped = matrix.reshape(self.op.groups, self.rows, 2 * self.pairs)
        banks[:, self.first] = grouped.transpose(1, 0, 2).reshape(self.rows, -1)

    @property
    def weights(self) -> Whole:
        if self._weights is None or self._seen != self.memories.weighed:
            self._weights = np.ascontiguousarray(self.matrix(self.memories.weights))
            self._seen = self.memories.weighed
        return self._weights

    def rates(self, streams: Streams) -> Whole:
        """[S, columns], a copy; of the step before, zero for a stream that starts."""
        op, first = self.op, 2 * self.op.rates
        rates = self.memories.rates[first : first + self.columns].T.copy()
        if op.prior and streams.starting is not None:
            one = rates[:, self._constant].copy() if self._constant is not None else None
            rates[streams.starting] = 0
            if one is not None:
                rates[:, self._constant] = one
        return rates

    @property
    def _constant(self) -> int | None:
        """Column of the constant one."""
        if self.op.bias == Bias.NONE:
            return None
        if self.op.kind == Kind.BACK:
            return self.columns - 1
        return self.columns - (1 if self.op.bias == Bias.HIGH else 2)


class Forward(_Sweep):
    """acc [S, groups R]."""

    def __call__(self, streams: Streams) -> Whole:
        return forward(self.weights, self.rates(streams))


class Back(_Sweep):
    """q of the sources, and the gradient; returns how many q were saturated."""

    def __call__(self, streams: Streams, fresh: bool) -> int:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        neurons = slice(op.neurons, op.neurons + op.groups * self.rows)
        e = np.ascontiguousarray(memories.e[neurons].T)
        saturated = 0
        if op.q:
            total = back(self.weights[:, : op.n], e, f.q_drop)
            q = half_up(total, f.q.frac - f.e.frac)
            limits = Limits(f.word)
            if not limits.holds(q):
                saturated = _counted(limits.outside(q), streams)
                limits.clip(q)
            _write(memories.q[op.extra : op.extra + op.n], q, streams)
        if op.g:
            rates = self.rates(streams)
            if streams.learning is not None:
                rates[~streams.learning] = 0
            change = gradient(e, rates, f.g_drop)
            sums = self.matrix(memories.gradients)
            if fresh:
                sums[:, : self.columns] = change
            else:
                sums[:, : self.columns] += change
            self.put(memories.gradients, sums)
        return saturated


class Apply(_Sweep):
    """New weights and moments; returns how many weights were saturated."""

    def __call__(self) -> int:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        registers = memories.registers
        own = key(registers[Register.SEED], registers[Register.STEP], op.n)
        i, j = np.arange(op.groups * self.rows)[:, None], np.arange(2 * self.pairs)[None, :]
        number, shift = self.matrix(memories.gradients), np.array(op.eta_k)
        if op.table:
            random = dither(own ^ KEYS[0], i, j), dither(own ^ KEYS[1], i, j)
            decay = Decay(Rule(op.table), op.rates, op.neurons)
            moments = self.matrix(memories.moments).astype(np.int64)
            way, moments = direction(
                number.astype(np.int64), moments, decay, op.eta_k, random, f.g.width
            )
            number, shift = way.number.astype(np.float64), way.shift
            self.put(memories.moments, moments.astype(np.float64))
        rounding = dither(own, i, j) if op.output else None
        new, saturated = apply(self.weights, number, (op.eta_m, shift), rounding, f)
        self.put(memories.weights, new)
        memories.weighed += 1
        return saturated


class _Filter:
    """Coefficients and state of a population; saturations go to the registers."""

    def __init__(self, memories: Memories, op: Operation):
        self.memories, self.op = memories, op
        f = memories.machine.formats
        mode = int(op.kind == Kind.ERROR)
        place = slice(op.weights, op.weights + op.n)
        words = memories.shift[place, mode] << f.word | (
            memories.mantissa[place, mode] & (1 << f.word) - 1
        )
        streams = memories.machine.streams  # rows [S, n]: numpy is faster without broadcasting
        first, second, third = (np.tile(factors(words[:, n], f), (streams, 1)) for n in range(3))
        self.coefficients = first, second, third
        self.neurons = slice(op.neurons, op.neurons + op.n)
        self.io = slice(op.extra, op.extra + op.n)
        self._streams: Streams | None = None

    def count(self, kind: str, limited: NDArray[np.bool_] | None) -> None:
        if limited is not None and self._streams is not None:
            number = Register.SATURATED + KINDS.index(kind)
            self.memories.registers[number] += _counted(limited, self._streams)

    def read(self, memory: Exact, place: slice, zero: NDArray[np.bool_] | None) -> Whole:
        """[S, n], a copy; zero for these streams."""
        values = memory[place].T.copy()  # with one stream, `.T` alone is contiguous already
        if zero is not None:
            values[zero] = 0
        return values


class Membrane(_Filter):
    def __call__(self, streams: Streams, acc: Whole) -> None:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        self._streams = streams
        e = self.read(memories.e, self.neurons, streams.starting if op.prior else None)
        u = self.read(memories.u, self.neurons, streams.starting)
        drive = acc[:, : op.n].copy()
        tables = self._tables() if op.table else None
        u_next, r, slope = filters.membrane(
            drive,
            e,
            u,
            self.coefficients,
            tables,
            f,
            self.count,
        )
        _write(memories.u[self.neurons], u_next, streams)
        _write(memories.slope[self.neurons], slope, streams)
        first = 2 * op.rates
        _write(memories.rates[first : first + op.n], r, streams)
        if op.n % 2:
            one = 1 << f.r.frac if op.bias == Bias.HIGH else 0
            last = np.full((streams_of(memories), 1), one, dtype=np.float64)
            _write(memories.rates[first + op.n : first + op.n + 1], last, streams)
        if op.output:
            _write(memories.output[self.io], r, streams)

    def _tables(self) -> filters.Tables:
        """Made at the first use after a load."""
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


class ErrorFilter(_Filter):
    def __call__(self, streams: Streams) -> None:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        self._streams = streams
        before = streams.starting if op.prior else None
        if op.cost:
            y = np.ascontiguousarray(memories.target[self.io].T)
            r = self.read(memories.output, self.io, before)
            there = np.ones(len(y), bool) if streams.targeted is None else streams.targeted
            q = filters.squared_error(y, r, there, f)
        else:
            q = self.read(memories.q, self.neurons, before)
        slope = self.read(memories.slope, self.neurons, before)
        v = self.read(memories.v, self.neurons, streams.starting)
        v_next, e = filters.error(
            q,
            slope,
            v,
            self.coefficients,
            f,
            self.count,
        )
        _write(memories.v[self.neurons], v_next, streams)
        _write(memories.e[self.neurons], e, streams)


def streams_of(memories: Memories) -> int:
    return memories.machine.streams


def _counted(limited: NDArray[np.bool_], streams: Streams) -> int:
    return int(np.count_nonzero(limited if streams.valid is None else limited[streams.valid]))


def _write(memory: Exact, values: NDArray[np.floating], streams: Streams) -> None:
    """Words of valid streams."""
    if streams.valid is None:
        memory[...] = values.T
    else:
        np.copyto(memory, values.T, where=streams.valid)
