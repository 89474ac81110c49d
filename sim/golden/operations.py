# SPDX-License-Identifier: Apache-2.0
"""The sweeps of the program on the memories: which words go into the arithmetic, and back.

Decoded once, when a program is loaded; `Memories` keeps [word, stream], the arithmetic [stream, n].
"""

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.dither import dither, key
from antevolt.hdl.spec.memory_map import Register
from antevolt.hdl.spec.moments import CARRYING, KEYS, Rule
from antevolt.hdl.spec.program import Bias, Kind, Operation
from antevolt.hdl.spec.timing import Timing
from antevolt.sim.golden.apply import apply
from antevolt.sim.golden.arithmetic import Limits, Whole, half_up
from antevolt.sim.golden.array import back, forward, gradient
from antevolt.sim.golden.carried import carried, steps
from antevolt.sim.golden.direction import Decay, direction
from antevolt.sim.golden.memories import Exact, Memories
from antevolt.sim.golden.streams import Streams, keep

__all__ = ["Apply", "Back", "Forward"]


class _Sweep:
    """Weights of a projection and the rates of its source."""

    def __init__(self, memories: Memories, op: Operation):
        self.memories, self.op = memories, op
        self.rows = memories.machine.rows
        self.pairs = -(-op.words // 2) if op.kind == Kind.BACK else op.words
        self.columns = op.words if op.kind == Kind.BACK else 2 * op.words
        self.first = slice(2 * op.weights, 2 * (op.weights + op.groups * self.pairs))
        self.slots = Timing(memories.machine).slots(op) * op.groups
        self.own = slice(None)  # row banks that take part
        self._weights: Whole | None = None
        self._seen = -1

    def matrix(self, banks: Exact) -> Whole:
        """[groups R, 2 pairs] out of the row banks: neuron i is in row i % R; a copy."""
        grouped = banks[self.own, self.first].reshape(-1, self.op.groups, 2 * self.pairs)
        return grouped.transpose(1, 0, 2).reshape(-1, 2 * self.pairs)

    def put(self, banks: Exact, matrix: Whole) -> None:
        """Inverse of `matrix`."""
        grouped = matrix.reshape(self.op.groups, -1, 2 * self.pairs).transpose(1, 0, 2)
        banks[self.own, self.first] = grouped.reshape(len(grouped), -1)

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
        e = self._errors(streams)
        saturated = self._send(e, streams) if self.op.q else 0
        if self.op.g:
            self._learn(e, streams, fresh and not self.op.keep)
        return saturated

    def _errors(self, streams: Streams) -> Whole:
        """[S, groups R]; zero outside the operation's neurons."""
        op = self.op
        neurons = slice(op.neurons, op.neurons + op.groups * self.rows)
        e = self.memories.e[neurons].T.copy()  # not a view, which one stream would give
        e[:, : op.skip] = 0
        e[:, op.skip + op.rows :] = 0
        if op.prior_e and streams.starting is not None:
            e[streams.starting] = 0
        return e

    def _send(self, e: Whole, streams: Streams) -> int:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        place = slice(op.extra, op.extra + op.n)
        total = back(self.weights[:, : op.n], e, f.q_drop)
        if not op.head:
            total += memories.partial_q[place].T
        if not op.tail:
            memories.partial_q[place] = total.T
            return 0
        q = half_up(total, f.q.frac - f.e.frac)
        limits, saturated = Limits(f.word), 0
        if not limits.holds(q):
            saturated = _counted(limits.outside(q), streams)
            limits.clip(q)
        keep(memories.q[place], q, streams)
        return saturated

    def _learn(self, e: Whole, streams: Streams, fresh: bool) -> None:
        memories = self.memories
        rates = self.rates(streams)
        if streams.learning is not None:
            rates[~streams.learning] = 0
        change = gradient(e, rates, memories.machine.formats.g_drop)
        sums = self.matrix(memories.gradients)
        if fresh:
            sums[:, : self.columns] = change
        else:
            sums[:, : self.columns] += change
        self.put(memories.gradients, sums)


class Apply(_Sweep):
    """New weights, moments and sums of every row, or of one of those that share an apply lane;
    returns how many weights were saturated."""

    def __init__(self, memories: Memories, op: Operation):
        super().__init__(memories, op)
        self.own = slice(op.skip, None, memories.machine.apply_rows)

    def __call__(self) -> int:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        registers = memories.registers
        own = key(registers[Register.SEED], registers[Register.STEP], op.n)
        i, j = np.arange(op.groups * self.rows)[self.own], np.arange(2 * self.pairs)
        i, j = i[:, None], j[None, :]
        number, shift = self.matrix(memories.gradients), np.array(op.eta_k)
        left: Whole | None = None
        if op.table in CARRYING:
            left = carried(number, op.rates)
            number = steps(number, Rule(op.table))
        elif op.table:
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
        if left is not None:  # not before: `number` may be a view
            self.put(memories.gradients, left)
        memories.weighed += 1
        return saturated


def _counted(limited: NDArray[np.bool_], streams: Streams) -> int:
    return int(np.count_nonzero(limited if streams.valid is None else limited[streams.valid]))
