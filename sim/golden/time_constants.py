# SPDX-License-Identifier: Apache-2.0
"""Learned time constants: sums of e d and eps d over streams and steps, and what they change.

    S_m <- S_m + sum over streams of half_up(e d, g_drop)     tau_m <- tau_m - eta_m S_m / tau_m
    S_r <- S_r + sum over streams of half_up(eps d, g_drop)   tau_r <- tau_r + eta_r S_r / tau_m

Twin of `hdl/core/time_constants.py` and `ratio.py`; the integers are in `hdl.spec.time_constants`.
"""

import numpy as np

from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.program import Operation
from antevolt.hdl.spec.time_constants import moved, ratios
from antevolt.sim.golden.arithmetic import Whole, half_up
from antevolt.sim.golden.memories import Memories
from antevolt.sim.golden.streams import Streams

__all__ = ["Times", "add"]


def add(
    memories: Memories, op: Operation, streams: Streams, errors: tuple[Whole, Whole], fresh: bool
) -> None:
    """Add the products of an ERROR; errors: e and eps [S, n]; d is in the memories."""
    d = memories.d[op.neurons : op.neurons + op.n].T
    place = slice(op.weights, op.weights + op.n)
    for which, error in enumerate(errors):
        terms = half_up(error * d, memories.machine.formats.g_drop)
        if streams.learning is not None:
            terms[~streams.learning] = 0
        total = terms.sum(axis=0).astype(np.int64)
        memories.times[2 + which, place] = total + (
            0 if fresh else memories.times[2 + which, place]
        )


class Times:
    """TIMES: new time constants and coefficients of a population."""

    def __init__(self, memories: Memories, op: Operation):
        self.memories, self.op = memories, op

    def __call__(self) -> None:
        op, memories, f = self.op, self.memories, self.memories.machine.formats
        rates = [(packed & 7, packed >> 3) for packed in (op.interval, op.words)]
        for neuron in range(op.weights, op.weights + op.n):
            tau_m, tau_r, total_m, total_r = (int(word) for word in memories.times[:, neuron])
            new_m = moved(tau_m, total_m, tau_m, rates[0], -1, f)
            new_r = moved(tau_r, total_r, tau_m, rates[1], 1, f)
            memories.times[:2, neuron] = new_m, new_r
            for mode, taus in enumerate(((new_m, new_r), (new_r, new_m))[: 1 + op.output]):
                for which, word in enumerate(ratios(*taus, f), 1):
                    _put(memories, neuron, mode, which, word)
        memories.tuned += 1


def _put(memories: Memories, neuron: int, mode: int, which: int, word: int) -> None:
    bits = memories.machine.formats.word
    mantissa: Raw = memories.mantissa
    mantissa[neuron, mode, which] = word & (1 << bits) - 1
    memories.shift[neuron, mode, which] = word >> bits
