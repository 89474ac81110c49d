# SPDX-License-Identifier: Apache-2.0
"""Where a network stands in a core's memories."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.formats import Raw, saturate
from antevolt.hdl.spec.logits import logit_weights
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters

__all__ = ["EXP", "Layout", "Rates", "Trace"]

EXP = ("exp", 1.0)
"""Name of the exponential's table beside those of phi."""


@dataclass(frozen=True)
class Rates:
    """n rates in the activity memory, and the constant one after them; first pair per context."""

    n: int
    one: bool
    pairs: tuple[int, ...]

    @property
    def width(self) -> int:
        return -(-(self.n + self.one) // 2)


@dataclass(frozen=True)
class Trace:
    """The rates of population `source` through the membrane filter of some neurons of `target`.

    tau_m, tau_r  their time constants;  recurrent  the rates are those of the step before
    neurons       first filter in the state memories, per context;  coefficient: theirs
    """

    source: int
    target: int
    recurrent: bool
    tau_m: float
    tau_r: float
    rates: Rates
    neurons: tuple[int, ...]
    coefficient: int


@dataclass(frozen=True)
class Layout:
    """First words of populations and projections; l counts populations from 0, k projections.

    given         the network as it was given; `network` has its leaky logits as a population
    neurons       [context][l - 1], in the state, partner and q memories. A sweep of the last group
                  reads e beyond them, which counts as zero
    coefficients  [l - 1], in the coefficient memory
    rates         [l], and `delayed` {l}: copies of those of the step before
    traces        presynaptic traces
    outputs       {l}: [context], first word in the output memory, where rates are kept there too
    weights, pairs, groups  [k]: first weight pair of every row, pairs per neuron, groups of rows
    backward      {k}: first weight pair of separate backward weights
    scratch       neurons that copies pass, first one
    shared        coefficients of "copy", "exp", "norm"
    tables        phi and r_max -> its number in the core, from 1; `linear` has none
    """

    given: Network
    network: Network
    machine: Machine
    neurons: tuple[tuple[int, ...], ...]
    coefficients: tuple[int, ...]
    rates: tuple[Rates, ...]
    weights: tuple[int, ...]
    pairs: tuple[int, ...]
    groups: tuple[int, ...]
    tables: dict[tuple[str, float], int]
    backward: dict[int, int] = field(default_factory=dict)
    delayed: dict[int, Rates] = field(default_factory=dict)
    traces: tuple[Trace, ...] = ()
    outputs: dict[int, tuple[int, ...]] = field(default_factory=dict)
    scratch: int = 0
    shared: dict[str, int] = field(default_factory=dict)

    @property
    def all_rates(self) -> tuple[Rates, ...]:
        return (*self.rates, *self.delayed.values(), *(t.rates for t in self.traces))

    def recurrent(self, k: int) -> bool:
        return self.network.projections[k].recurrent

    def source_rates(self, k: int) -> Rates:
        """The rates that projection k weighs."""
        p = self.network.projections[k]
        return self.delayed[p.source] if p.recurrent else self.rates[p.source]

    def trace(self, k: int, tau_m: float, tau_r: float) -> Trace:
        """The trace that neurons with these time constants learn projection k by."""
        p = self.network.projections[k]
        wanted = (p.source, p.target, tau_m, tau_r)
        return next(t for t in self.traces if (t.source, t.target, t.tau_m, t.tau_r) == wanted)

    def pack_weights(self, parameters: Parameters) -> tuple[Raw, int]:
        """Words [rows, pairs] of all weight banks, and how many weights were saturated.

        parameters : of the network as it was given
        """
        m, word = self.machine, self.machine.formats.word
        every = {**parameters, **logit_weights(self.given)}
        starts = [*self.weights, *self.backward.values()]
        numbers = [*range(len(self.weights)), *self.backward]
        used = max(
            at + self.pairs[k] * self.groups[k] for at, k in zip(starts, numbers, strict=True)
        )
        banks = np.zeros((m.rows, used), dtype=np.int64)
        saturated, mask = 0, (1 << word) - 1
        for place_of, (first, k) in enumerate(zip(starts, numbers, strict=True)):
            projection = self.network.projections[k]
            back = place_of >= len(self.weights)
            matrix = every[f"{k}.backward" if back else f"{k}.weight"]
            if projection.bias:
                bias = np.zeros(len(matrix)) if back else every[f"{k}.bias"]
                matrix = np.column_stack([matrix, bias])
            fmt = m.formats.w
            near = np.clip(matrix, 2 * fmt.real_min, 2 * fmt.real_max)  # what int64 can hold
            raw, lost = saturate(np.floor(near * 2.0**fmt.frac + 0.5).astype(np.int64), fmt)
            saturated += lost
            whole = np.zeros((self.groups[k] * m.rows, 2 * self.pairs[k]), dtype=np.int64)
            whole[: raw.shape[0], : raw.shape[1]] = raw & mask
            words = whole[:, ::2] | whole[:, 1::2] << word
            region = slice(first, first + self.pairs[k] * self.groups[k])
            grouped = words.reshape(self.groups[k], m.rows, self.pairs[k])
            banks[:, region] = grouped.transpose(1, 0, 2).reshape(m.rows, -1)
        return banks, saturated

    def weight_places(self, k: int, backward: bool = False) -> tuple[NDArray[np.int64], ...]:
        """Row, pair address and half of each weight of projection k, [targets, columns]."""
        p, n = self.network.projections[k], self.network.sizes
        i, j = np.indices((n[p.target], n[p.source] + p.bias))
        rows, first = self.machine.rows, self.backward[k] if backward else self.weights[k]
        return i % rows, first + i // rows * self.pairs[k] + j // 2, j % 2

    def unpack_weights(self, banks: Mapping[int, Raw] | Raw) -> Parameters:
        """Parameters from words [rows, pairs]: the inverse of `pack_weights`."""
        fmt, word = self.machine.formats.w, self.machine.formats.word
        found: Parameters = {}
        for k, projection in enumerate(self.given.projections):
            for backward in (False, True) if k in self.backward else (False,):
                row, address, half = self.weight_places(k, backward)
                raw = np.asarray(banks)[row, address] >> half * word & (1 << word) - 1
                matrix = fmt.to_real((raw ^ 1 << (word - 1)) - (1 << (word - 1)))
                inputs = self.network.sizes[projection.source]
                found[f"{k}.backward" if backward else f"{k}.weight"] = matrix[:, :inputs]
                if projection.bias and not backward:
                    found[f"{k}.bias"] = matrix[:, -1]
        return found
