# SPDX-License-Identifier: Apache-2.0
"""What each mechanism costs a step and the memories, counted by the compiler on one network."""

from dataclasses import replace

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.host.compile import Image, compile

__all__ = ["mechanisms"]

MACHINE = Machine(
    rows=3, streams=8, w_depth=2048, r_depth=512, state_depth=1024, io_depth=512, tables=4,
    program_depth=1024, moments=2,
    carry=True,
    time_constants=True,
)  # fmt: skip
SIZE, OUTPUTS = 30, 10


def mechanisms() -> str:
    """A table: cycles of a learning step, and words per stream beside the plain network's."""
    taus = (1.0,) * (SIZE // 3) + (4.0,) * (SIZE - SIZE // 3)
    hidden = Population(SIZE, "tanh", taus, rule="instantaneous")
    plain = Network(4, (hidden, hidden, Population(OUTPUTS, "linear", rule="instantaneous")))
    chain = plain.projections
    traced = replace(hidden, rule="trace")
    softmax = plain.with_(cost="cross_entropy")
    variants = {
        "plain: 4-30-30-10, two time constants, instantaneous errors": plain,
        "rule `gle`, gain g": plain.with_(
            populations=tuple(replace(p, rule="gle", g=0.5) for p in plain.populations)
        ),
        "rule `trace` in both hidden populations": plain.with_(
            populations=(traced, traced, plain.populations[-1])
        ),
        "cross entropy": softmax,
        "cross entropy on leaky logits": softmax.with_(tau_z=8.0),
        "a skip 0 -> 2": plain.with_(projections=(*chain, Projection(0, 2, bias=False))),
        "a loop 1 -> 1": plain.with_(projections=(*chain, Projection(1, 1, bias=False))),
        "backward weights, fixed": _backward(plain, "fixed"),
        "backward weights, learned": _backward(plain, "learned"),
        "time constants that learn": plain.with_(
            populations=(replace(hidden, eta_tau_m=0.1), hidden, plain.populations[-1])
        ),
        "optimizer `sign` or `momentum`": plain.with_(optimizer="sign"),
        "optimizer `adam`": plain.with_(optimizer="adam"),
        "optimizer `sign_sum` or `momentum_sum`": plain.with_(optimizer="sign_sum"),
    }
    images = {name: compile(network, MACHINE) for name, network in variants.items()}
    base = next(iter(images.values()))
    lines = [
        "| network | cycles of a learning step | program | weights | states | rates | outputs |"
    ]
    lines.append("|---|---|---|---|---|---|---|")
    for name, image in images.items():
        cycles = image.timetable.cycles_learning
        more = "" if image is base else f" ({cycles - base.timetable.cycles_learning:+})"
        lines.append(f"| {name} | {cycles}{more} | {' | '.join(map(str, _words(image)))} |")
    lines += ["", f"On a core {MACHINE.name}, every stream with a target; words per row or stream."]
    return "\n".join(lines)


def _backward(network: Network, kind: str) -> Network:
    projections = tuple(
        replace(p, backward=kind if p.source else p.backward)  # type: ignore[arg-type]
        for p in network.projections
    )
    return network.with_(projections=projections)


def _words(image: Image) -> tuple[int, int, int, int, int]:
    """Operations, weight pairs per row, neurons, activity pairs and outputs per stream."""
    layout = image.layout
    weights = [a * b for a, b in zip(layout.pairs, layout.groups, strict=True)]
    weights += [weights[k] for k in layout.backward]
    sizes = layout.network.sizes
    neurons = sum(sizes[1:])
    neurons += sum(trace.rates.n for trace in layout.traces)
    neurons += max((rates.n for rates in layout.delayed.values()), default=0)
    rates = sum(each.width for each in layout.all_rates)
    outputs = sum(sizes[l] for l in layout.outputs)
    return len(image.operations), sum(weights), neurons, rates, outputs
