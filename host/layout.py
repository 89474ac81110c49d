# SPDX-License-Identifier: Apache-2.0
"""Where a network stands in a core's memories."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.formats import Raw, saturate
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters

__all__ = ["Layout", "place"]


@dataclass(frozen=True)
class Layout:
    """First words of populations and projections; l counts populations from 0, k projections.

    neurons       [context][l - 1], in the state, partner and q memories; padded to whole groups
    coefficients  [l - 1], in the coefficient memory
    rates         [context][l], activity pairs
    weights, pairs, groups  [k]: first weight pair of every row, pairs per neuron, groups of rows
    tables        phi -> its number in the core, from 1; `linear` has none
    """

    network: Network
    machine: Machine
    neurons: tuple[tuple[int, ...], ...]
    coefficients: tuple[int, ...]
    rates: tuple[tuple[int, ...], ...]
    weights: tuple[int, ...]
    pairs: tuple[int, ...]
    groups: tuple[int, ...]
    tables: dict[str, int]

    def bias_from(self, population: int) -> bool:
        """The projection out of the population has a bias: its rates end with the constant one."""
        projections = self.network.projections
        return population < len(projections) and projections[population].bias

    def pack_weights(self, parameters: Parameters) -> tuple[Raw, int]:
        """Words [rows, pairs] of all weight banks, and how many weights were saturated."""
        m, word = self.machine, self.machine.formats.word
        used = self.weights[-1] + self.pairs[-1] * self.groups[-1]
        banks = np.zeros((m.rows, used), dtype=np.int64)
        saturated, mask = 0, (1 << word) - 1
        for k, projection in enumerate(self.network.projections):
            matrix = parameters[f"{k}.weight"]
            if projection.bias:
                matrix = np.column_stack([matrix, parameters[f"{k}.bias"]])
            fmt = m.formats.w
            near = np.clip(matrix, 2 * fmt.real_min, 2 * fmt.real_max)  # what int64 can hold
            raw, lost = saturate(np.floor(near * 2.0**fmt.frac + 0.5).astype(np.int64), fmt)
            saturated += lost
            whole = np.zeros((self.groups[k] * m.rows, 2 * self.pairs[k]), dtype=np.int64)
            whole[: raw.shape[0], : raw.shape[1]] = raw & mask
            words = whole[:, ::2] | whole[:, 1::2] << word
            region = slice(self.weights[k], self.weights[k] + self.pairs[k] * self.groups[k])
            grouped = words.reshape(self.groups[k], m.rows, self.pairs[k])
            banks[:, region] = grouped.transpose(1, 0, 2).reshape(m.rows, -1)
        return banks, saturated

    def weight_places(self, k: int) -> tuple[NDArray[np.int64], ...]:
        """Row, pair address and half of each weight of projection k, [targets, columns]."""
        p, n = self.network.projections[k], self.network.sizes
        i, j = np.indices((n[p.target], n[p.source] + p.bias))
        rows = self.machine.rows
        return i % rows, self.weights[k] + i // rows * self.pairs[k] + j // 2, j % 2

    def unpack_weights(self, banks: Mapping[int, Raw] | Raw) -> Parameters:
        """Parameters from words [rows, pairs]: the inverse of `pack_weights`."""
        fmt, word = self.machine.formats.w, self.machine.formats.word
        found: Parameters = {}
        for k, projection in enumerate(self.network.projections):
            row, address, half = self.weight_places(k)
            raw = np.asarray(banks)[row, address] >> half * word & (1 << word) - 1
            matrix = fmt.to_real((raw ^ 1 << (word - 1)) - (1 << (word - 1)))
            found[f"{k}.weight"] = matrix[:, : self.network.sizes[projection.source]]
            if projection.bias:
                found[f"{k}.bias"] = matrix[:, -1]
        return found


def place(network: Network, machine: Machine) -> Layout:
    """Give every population and projection its words; raises DoesNotFit."""
    sizes, rows, contexts = network.sizes, machine.rows, range(machine.contexts)
    depth = len(network.populations)
    projections = network.projections
    pairs = tuple(-(-(sizes[p.source] + p.bias) // 2) for p in projections)
    groups = tuple(-(-sizes[p.target] // rows) for p in projections)
    weights = _running(tuple(a * b for a, b in zip(pairs, groups, strict=True)))
    per_context = _running(tuple(-(-n // rows) * rows for n in sizes[1:]))
    coefficients = _running(sizes[1:])
    bias = [projections[p].bias if p < depth else False for p in range(depth + 1)]
    rates = _running(tuple(-(-(n + b) // 2) for n, b in zip(sizes, bias, strict=True)))
    names = dict.fromkeys(p.phi for p in network.populations if p.phi != "linear")
    layout = Layout(
        network,
        machine,
        tuple(tuple(a + t * per_context[-1] for a in per_context[:-1]) for t in contexts),
        coefficients[:-1],
        tuple(tuple(a + t * rates[-1] for a in rates[:-1]) for t in contexts),
        weights[:-1],
        pairs,
        groups,
        {phi: n + 1 for n, phi in enumerate(names)},
    )
    states = per_context[-1] * machine.contexts
    _check(layout, weights[-1], max(states, coefficients[-1]), rates[-1] * machine.contexts)
    return layout


def _running(counts: tuple[int, ...]) -> tuple[int, ...]:
    """0 and the running sums."""
    return (0, *np.cumsum(counts).tolist())


def _check(layout: Layout, weights: int, states: int, rates: int) -> None:
    network, m, f = layout.network, layout.machine, layout.machine.formats
    sizes, rows = network.sizes, layout.machine.rows
    columns = max(sizes[p.source] + p.bias for p in network.projections)
    with_q = max(sizes[1:-1], default=0)  # inputs have none
    products = network.apply_every * m.total_streams
    largest = 2 * m.w_depth * rows
    held = f"this core holds {largest} weights, padding included"
    fewer = f"apply_every is at most {f.max_products // m.total_streams} with this many streams"
    padded = f"{m.state_depth} neurons over {m.contexts} contexts, padded to {rows}, fit"
    pairs_fit = f"about {2 * m.r_depth // m.contexts} inputs and neurons fit"
    checks = (
        ("weight pairs per row", weights, m.w_depth, f"{held}: fewer neurons or a larger w_depth"),
        ("neurons per column", states, m.state_depth, padded),
        ("activity pairs per column", rates, m.r_depth, pairs_fit),
        ("columns of a projection", columns, min(2 * m.r_depth, f.max_inputs), "use fewer inputs"),
        ("columns that have a q", with_q, m.q_depth, "use narrower populations"),
        ("neurons of a population", max(sizes[1:]), f.max_targets, "split the population"),
        ("outputs per column", network.outputs * m.contexts, m.io_depth, "use fewer outputs"),
        ("activation tables", len(layout.tables), m.tables, "use fewer different phi"),
        ("products in a gradient", products, f.max_products, fewer),
    )
    for resource, need, limit, remedy in checks:
        if need > limit:
            raise DoesNotFit(resource, need, limit, remedy)
