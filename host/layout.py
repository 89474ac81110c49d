# SPDX-License-Identifier: Apache-2.0
"""Where a network stands in a core's memories."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadNetwork, DoesNotFit
from antevolt.hdl.spec.formats import Raw, saturate
from antevolt.hdl.spec.logits import logit_weights, with_logits
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Projection

__all__ = ["EXP", "Layout", "Rates", "Trace", "place"]

EXP = "exp"
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
    tables        phi -> its number in the core, from 1; `linear` has none
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
    tables: dict[str, int]
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


class _Allocator:
    """Hands out consecutive words."""

    def __init__(self) -> None:
        self.used = 0

    def take(self, count: int) -> int:
        first, self.used = self.used, self.used + count
        return first


def _bare(n: int, users: list[Projection]) -> Rates:
    return Rates(n, any(p.bias for p in users), ())


def place(given: Network, machine: Machine) -> Layout:
    """Give every population and projection its words; raises DoesNotFit."""
    network = with_logits(given)
    sizes, rows, contexts = network.sizes, machine.rows, range(machine.contexts)
    projections, depth = network.projections, len(network.populations)
    pairs = tuple(-(-(sizes[p.source] + p.bias) // 2) for p in projections)
    groups = tuple(-(-sizes[p.target] // rows) for p in projections)
    banks, states, coefficients, activity, kept = (_Allocator() for _ in range(5))
    weights = tuple(banks.take(a * b) for a, b in zip(pairs, groups, strict=True))
    backward = {
        k: banks.take(pairs[k] * groups[k])
        for k, p in enumerate(projections)
        if p.backward != "transpose"
    }
    neurons = tuple(tuple(states.take(n) for n in sizes[1:]) for _ in contexts)
    own = tuple(coefficients.take(n) for n in sizes[1:])

    ordinary = [p for p in projections if not p.recurrent]
    recurrent = [p for p in projections if p.recurrent]
    learners = [
        (p, *taus)
        for p in projections
        if p.learn and network.populations[p.target - 1].rule == "trace"
        for taus in network.populations[p.target - 1].time_constants
        if taus[0] != taus[1]  # else the trace is the rate itself
    ]
    copied = sorted({p.source for p in recurrent})
    bare = [_bare(n, [p for p in ordinary if p.source == l]) for l, n in enumerate(sizes)]
    bare += [_bare(sizes[l], [p for p in recurrent if p.source == l]) for l in copied]
    bare += [_bare(sizes[p.source], [p]) for p, _, _ in learners]
    firsts = [activity.take(rates.width) for rates in bare]
    every = [
        replace(rates, pairs=tuple(first + t * activity.used for t in contexts))
        for rates, first in zip(bare, firsts, strict=True)
    ]
    populations, rest = tuple(every[: len(sizes)]), every[len(sizes) :]
    delayed = dict(zip(copied, rest, strict=False))
    traces = tuple(
        Trace(
            p.source, p.target, p.recurrent, tau_m, tau_r, rates,
            tuple(states.take(sizes[p.source]) for _ in contexts),
            coefficients.take(1),
        )
        for (p, tau_m, tau_r), rates in zip(learners, rest[len(copied) :], strict=True)
    )  # fmt: skip
    scratch = states.take(max((sizes[l] for l in delayed), default=0))
    softmax = network.cost == "cross_entropy"
    names = (["copy"] if delayed else []) + (["exp", "norm"] if softmax else [])
    shared = {name: coefficients.take(1) for name in names}
    wanted = [depth, *([len(given.populations)] if network is not given else [])]
    wanted += sorted({*delayed, *(t.source for t in traces)} - set(wanted))
    outputs = {l: tuple(kept.take(sizes[l]) for _ in contexts) for l in wanted}
    functions = dict.fromkeys(p.phi for p in network.populations if p.phi != "linear")
    functions |= dict.fromkeys([EXP] if softmax else [])
    ends = (
        first + -(-n // rows) * rows
        for own_firsts in neurons
        for first, n in zip(own_firsts, sizes[1:], strict=True)
    )
    states.used = max(states.used, *ends)
    layout = Layout(
        given, network, machine, neurons, own, populations, weights, pairs, groups,
        {phi: n + 1 for n, phi in enumerate(functions)},
        backward, delayed, traces, outputs, scratch, shared,
    )  # fmt: skip
    _check(
        layout,
        banks.used,
        states.used,
        coefficients.used,
        activity.used * machine.contexts,
        kept.used,
    )
    return layout


def _check(
    layout: Layout, weights: int, states: int, coefficients: int, rates: int, outputs: int
) -> None:
    network, m, f = layout.network, layout.machine, layout.machine.formats
    sizes, rows = network.sizes, layout.machine.rows

    def columns_into(l: int) -> int:
        into = (network.projections[k] for k in network.incoming(l))
        return sum(sizes[p.source] + p.bias for p in into)

    def targets_of(l: int) -> int:
        return sum(sizes[network.projections[k].target] for k in network.outgoing(l))

    populations = range(1, len(sizes))
    columns = max(columns_into(l) for l in populations)
    hidden = [l for l in populations if network.outgoing(l)]
    with_q = max((sizes[l] for l in hidden), default=0)  # inputs have none
    targets = max((*(targets_of(l) for l in hidden), *sizes[1:]))
    products = network.apply_every * m.total_streams
    largest = 2 * m.w_depth * rows
    held = f"this core holds {largest} weights, padding included"
    fewer = f"apply_every is at most {f.max_products // m.total_streams} with this many streams"
    held_states = f"{m.state_depth} neurons and traces over {m.contexts} contexts fit"
    shared = "contexts share them: fewer neurons and time constants of traces, or more state_depth"
    pairs_fit = f"about {2 * m.r_depth // m.contexts} inputs and neurons fit"
    filtered = len(layout.traces) + len(layout.delayed)
    learning = sum(bool(p.eta_tau_m or p.eta_tau_r) for p in network.populations)
    if learning and network.schedule == "parallel":
        raise BadNetwork("time constants learn in the sequential schedule only; set it")
    shares = network.outputs if network.cost == "cross_entropy" else 0
    checks = (
        ("weight pairs per row", weights, m.w_depth, f"{held}: fewer neurons or a larger w_depth"),
        ("neurons per column", states, m.state_depth, held_states),
        ("coefficients", coefficients, m.coefficient_depth, shared),
        ("activity pairs per column", rates, m.r_depth, pairs_fit),
        ("columns of a projection", columns, min(2 * m.r_depth, f.max_inputs), "use fewer inputs"),
        ("columns that have a q", with_q, m.q_depth, "use narrower populations"),
        ("neurons of a population", targets, f.max_targets, "split the population"),
        ("outputs per column", outputs, m.io_depth, "use fewer outputs, or a larger io_depth"),
        ("activation tables", len(layout.tables), m.tables, "use fewer different phi"),
        ("products in a gradient", products, f.max_products, fewer),
        ("traces and recurrent projections", filtered, filtered if m.traces else 0,
         "use a core with traces"),
        ("populations whose time constants learn", learning, learning if m.time_constants else 0,
         "use a core with time_constants, or rates eta_tau_m and eta_tau_r of 0"),
        ("softmax outputs", shares, shares if m.softmax else 0,
         "use a core with softmax, or squared_error"),
    )  # fmt: skip
    for resource, need, limit, remedy in checks:
        if need > limit:
            raise DoesNotFit(resource, need, limit, remedy)
