# SPDX-License-Identifier: Apache-2.0
"""Giving a network its words in a core's memories."""

from dataclasses import dataclass, field, replace

from antevolt.hdl.spec.errors import BadNetwork, DoesNotFit
from antevolt.hdl.spec.logits import with_logits
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Projection
from antevolt.host.layout import EXP, Layout, Rates, Trace

__all__ = ["CHOSEN", "place"]

CHOSEN = "(Machine, or --core FILE)"
"""Where parameters of a core are chosen, for messages: in Python, or on the command line."""

Learner = tuple[Projection, float, float]
"""A projection that learns by traces, and the time constants of one of them."""


class _Allocator:
    """Hands out consecutive words; `words`: how many so far."""

    def __init__(self) -> None:
        self.words = 0

    def take(self, count: int) -> int:
        first, self.words = self.words, self.words + count
        return first


@dataclass(frozen=True)
class _Used:
    """Weight pairs, neurons and outputs of all contexts, coefficients; rates of one context."""

    banks: _Allocator = field(default_factory=_Allocator)
    states: _Allocator = field(default_factory=_Allocator)
    coefficients: _Allocator = field(default_factory=_Allocator)
    activity: _Allocator = field(default_factory=_Allocator)
    outputs: _Allocator = field(default_factory=_Allocator)


def place(given: Network, machine: Machine) -> Layout:
    """Give every population and projection its words; raises DoesNotFit, and BadNetwork for time
    constants that learn in the parallel schedule."""
    network, used, contexts = with_logits(given), _Used(), range(machine.contexts)
    sizes, projections = network.sizes, network.projections
    pairs = tuple(-(-(sizes[p.source] + p.bias) // 2) for p in projections)
    groups = tuple(-(-sizes[p.target] // machine.rows) for p in projections)
    weights = tuple(used.banks.take(a * b) for a, b in zip(pairs, groups, strict=True))
    backward = {
        k: used.banks.take(pairs[k] * groups[k])
        for k, p in enumerate(projections)
        if p.backward != "transpose"
    }
    neurons = tuple(tuple(used.states.take(n) for n in sizes[1:]) for _ in contexts)
    own = tuple(used.coefficients.take(n) for n in sizes[1:])
    copied = sorted({p.source for p in projections if p.recurrent})
    learners = _learners(network)
    rates = _rates(network, machine, used, copied, learners)
    populations, rest = tuple(rates[: len(sizes)]), rates[len(sizes) :]
    traces = _traces(network, machine, used, learners, rest[len(copied) :])
    scratch = used.states.take(max((sizes[l] for l in copied), default=0))
    softmax = network.cost == "cross_entropy"
    names = (["copy"] if copied else []) + (["exp", "norm"] if softmax else [])
    shared = {name: used.coefficients.take(1) for name in names}
    read = {*copied, *(t.source for t in traces)}  # rates that are needed a step later
    wanted = [len(network.populations), *([len(given.populations)] if network is not given else [])]
    wanted += sorted(read - set(wanted))
    outputs = {l: tuple(used.outputs.take(sizes[l]) for _ in contexts) for l in wanted}
    used.states.words = max(used.states.words, *_ends(network, machine, neurons))
    layout = Layout(
        given, network, machine, neurons, own, populations, weights, pairs, groups,
        _tables(network), backward, dict(zip(copied, rest, strict=False)), traces, outputs,
        scratch, shared,
    )  # fmt: skip
    _check(layout, used)
    return layout


def _learners(network: Network) -> list[Learner]:
    """What needs a trace of its own."""
    return [
        (p, *taus)
        for p in network.projections
        if p.learn and network.populations[p.target - 1].rule == "trace"
        for taus in network.populations[p.target - 1].time_constants
        if taus[0] != taus[1]  # else the trace is the rate itself
    ]


def _rates(
    network: Network, machine: Machine, used: _Used, copied: list[int], learners: list[Learner]
) -> list[Rates]:
    """Of all populations, of the copies of those of the step before, and of the traces."""

    def bare(l: int, users: list[Projection]) -> Rates:
        return Rates(network.sizes[l], any(p.bias for p in users), ())

    def users(l: int, recurrent: bool) -> list[Projection]:
        return [p for p in network.projections if p.source == l and p.recurrent == recurrent]

    found = [bare(l, users(l, False)) for l in range(len(network.sizes))]
    found += [bare(l, users(l, True)) for l in copied]
    found += [bare(p.source, [p]) for p, _, _ in learners]
    firsts = [used.activity.take(rates.width) for rates in found]
    contexts, each = range(machine.contexts), used.activity.words
    return [
        replace(rates, pairs=tuple(first + t * each for t in contexts))
        for rates, first in zip(found, firsts, strict=True)
    ]


def _traces(
    network: Network, machine: Machine, used: _Used, learners: list[Learner], rates: list[Rates]
) -> tuple[Trace, ...]:
    """Filters in the state memories, and one coefficient for all of a trace."""
    return tuple(
        Trace(
            p.source, p.target, p.recurrent, tau_m, tau_r, own,
            tuple(used.states.take(network.sizes[p.source]) for _ in range(machine.contexts)),
            used.coefficients.take(1),
        )
        for (p, tau_m, tau_r), own in zip(learners, rates, strict=True)
    )  # fmt: skip


def _tables(network: Network) -> dict[tuple[str, float], int]:
    """Numbers of the activation functions, from 1."""
    functions = dict.fromkeys(p.function for p in network.populations if p.phi != "linear")
    functions |= dict.fromkeys([EXP] if network.cost == "cross_entropy" else [])
    return {function: n + 1 for n, function in enumerate(functions)}


def _ends(network: Network, machine: Machine, neurons: tuple[tuple[int, ...], ...]) -> list[int]:
    """Behind the last groups of rows, which a sweep reads to their ends."""
    rows = machine.rows
    return [
        first + -(-n // rows) * rows
        for own in neurons
        for first, n in zip(own, network.sizes[1:], strict=True)
    ]


def _check(layout: Layout, used: _Used) -> None:
    network, m, f = layout.network, layout.machine, layout.machine.formats
    sizes, rows = network.sizes, layout.machine.rows
    weights, outputs = used.banks.words, used.outputs.words

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
    held_states = (
        f"{m.state_depth} neurons and traces over {m.contexts} contexts fit, more with a larger "
        f"state_depth {CHOSEN}"
    )
    shared = (
        "contexts share them: fewer neurons and time constants of traces, or a larger "
        f"state_depth {CHOSEN}"
    )
    pairs_fit = (
        f"about {2 * m.r_depth // m.contexts} inputs and neurons fit, more with a larger "
        f"r_depth {CHOSEN}"
    )
    filtered = len(layout.traces) + len(layout.delayed)
    learning = sum(bool(p.eta_tau_m or p.eta_tau_r) for p in network.populations)
    if learning and network.schedule == "parallel":
        raise BadNetwork("time constants learn in the sequential schedule only; set it")
    shares = network.outputs if network.cost == "cross_entropy" else 0
    checks = (
        ("weight pairs per row", weights, m.w_depth, f"{held}: fewer neurons or a larger w_depth"),
        ("neurons per column", used.states.words, m.state_depth, held_states),
        ("coefficients", used.coefficients.words, m.coefficient_depth, shared),
        ("activity pairs per column", used.activity.words * m.contexts, m.r_depth, pairs_fit),
        ("columns of a projection", columns, min(2 * m.r_depth, f.max_inputs), "use fewer inputs"),
        ("columns that have a q", with_q, m.q_depth,
         f"use narrower populations, or a larger q_depth {CHOSEN}"),
        ("neurons of a population", targets, f.max_targets, "split the population"),
        ("outputs per column", outputs, m.io_depth,
         f"use fewer outputs, or a larger io_depth {CHOSEN}"),
        ("activation tables", len(layout.tables), m.tables,
         f"use fewer different phi or r_max, or a core with more tables {CHOSEN}"),
        ("products in a gradient", products, f.max_products, fewer),
        ("traces and recurrent projections", filtered, filtered if m.traces else 0,
         f"use a core with traces {CHOSEN}"),
        ("populations whose time constants learn", learning, learning if m.time_constants else 0,
         f"use a core with time_constants {CHOSEN}, or rates eta_tau_m and eta_tau_r of 0"),
        ("softmax outputs", shares, shares if m.softmax else 0,
         f"use a core with softmax {CHOSEN}, or squared_error"),
    )  # fmt: skip
    for resource, need, limit, remedy in checks:
        if need > limit:
            raise DoesNotFit(resource, need, limit, remedy)
