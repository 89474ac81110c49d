# SPDX-License-Identifier: Apache-2.0
"""A compiled network elsewhere in the memories, and at another pace: the same program with other
addresses, longer intervals and longer delays. A compiler starts at the first word of everything
and wastes no cycle; a core has to do the rest as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Self

import numpy as np

from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Parameters
from antevolt.hdl.spec.program import STREAMS, Kind, Operation
from antevolt.hdl.spec.timing import Timing
from antevolt.host.backend import Backend
from antevolt.host.compile import Image
from antevolt.host.outputs import OutputSetting
from antevolt.host.schedule import schedule

__all__ = ["LONGEST", "Offsets", "load", "program", "slow"]

LONGEST = 2500
"""Cycles that `slow` adds to an interval or delay, at most."""

_FILTER = {"weights": "coefficients", "neurons": "neurons", "extra": "outputs", "rates": "rates"}
_FILTER |= {"table": "tables"}
_SWEEP = {"weights": "weights", "rates": "rates"}
ADDRESSES: dict[Kind, dict[str, str]] = {
    Kind.INPUT: {"rates": "rates", "extra": "outputs"},
    Kind.TARGET: {"extra": "outputs"},
    Kind.OUTPUT: {"extra": "outputs"},
    Kind.FORWARD: _SWEEP,
    Kind.BACK: {**_SWEEP, "neurons": "neurons", "extra": "neurons"},
    Kind.APPLY: {"weights": "weights"},
    Kind.MEMBRANE: _FILTER,
    Kind.ERROR: {name: _FILTER[name] for name in ("weights", "neurons", "extra")},
    Kind.TRACE: {name: _FILTER[name] for name in ("weights", "neurons", "extra", "rates")},
    Kind.EXP: {name: _FILTER[name] for name in ("weights", "neurons", "extra", "table")},
    Kind.NORM: {name: _FILTER[name] for name in ("weights", "neurons")},
    Kind.TIMES: {"weights": "coefficients"},
    Kind.END: {},
}
"""Which operands are addresses, and of what (`spec.program.MEANING`)."""


@dataclass(frozen=True)
class Offsets:
    """Words by which a network is moved up: pairs of weights and of rates, neurons, coefficients,
    words of the output memory, tables."""

    weights: int = 0
    rates: int = 0
    neurons: int = 0
    coefficients: int = 0
    outputs: int = 0
    tables: int = 0

    @classmethod
    def room(cls, image: Image) -> Self:
        """The largest: the network ends in the last word of every memory."""
        m = image.machine
        depths = {"weights": m.w_depth, "rates": m.r_depth, "outputs": m.io_depth}
        depths |= {
            "neurons": m.state_depth,
            "coefficients": m.coefficient_depth,
            "tables": m.tables,
        }
        used = dict.fromkeys(depths, 0)
        for op in image.operations:
            for operand, end in _ends(op, m).items():
                memory = ADDRESSES[op.kind][operand]
                used[memory] = max(used[memory], end)
        return cls(**{name: depth - used[name] for name, depth in depths.items()})

    def drawn(self, rng: np.random.Generator) -> "Offsets":
        """Each anything up to what this has."""
        return Offsets(**{n: int(rng.integers(0, most + 1)) for n, most in asdict(self).items()})

    def of(self, op: Operation) -> Operation:
        """The operation at its new place."""
        moved = {
            operand: getattr(op, operand) + getattr(self, memory)
            for operand, memory in ADDRESSES[op.kind].items()
            if operand != "table" or op.table  # 0 is linear
        }
        return replace(op, **moved)


def _ends(op: Operation, machine: Machine) -> dict[str, int]:
    """The first word behind what the operation touches, by operand."""
    pairs = -(-op.words // 2) if op.kind == Kind.BACK else op.words
    sweeps = op.kind in (Kind.FORWARD, Kind.BACK, Kind.APPLY)
    neurons = op.groups * machine.rows if op.kind == Kind.BACK else op.n
    kept = op.q if op.kind == Kind.BACK else op.kind != Kind.INPUT or op.output
    counts = {
        "weights": op.groups * pairs if sweeps else 1 if op.shared else op.n,
        "rates": pairs if sweeps else -(-(op.n + op.odd) // 2),
        "neurons": neurons,
        "extra": op.n if kept else 0,
        "table": 0,
    }
    return {name: getattr(op, name) + counts[name] for name in ADDRESSES[op.kind]}


def program(operations: Sequence[Operation]) -> Raw:
    """Words of the program memory."""
    return np.array([chunk for op in operations for chunk in op.encode()], dtype=np.int64)


def load(
    backend: Backend,
    image: Image,
    parameters: Parameters,
    offsets: Offsets,
    operations: Sequence[Operation] | None = None,
    clean: bool = True,
) -> tuple[Operation, ...]:
    """Write a network, a clean start and weights; returns the program as it was written. Counters
    stay what they are.

    operations  in place of the image's, not yet moved
    clean       False: states, sums and gradients stay what they are, too
    """
    moved = tuple(offsets.of(op) for op in operations or image.operations)
    for region, unit, index, words in _words(image, offsets):
        if clean or words.any() or region == Region.REGISTERS:
            backend.write(region, unit, index, words)
    backend.write(Region.PROGRAM, 0, 0, program(moved))
    banks, _ = image.layout.pack_weights(parameters)
    for row, words in enumerate(banks):
        backend.write(Region.WEIGHTS, row, offsets.weights, words)
    OutputSetting().write(backend)
    return moved


def _words(image: Image, offsets: Offsets) -> Iterator[tuple[Region, int, int, Raw]]:
    """All but the program and the weights."""
    up = {
        Region.COEFFICIENTS: 8 * offsets.coefficients,
        Region.TIMES: 4 * offsets.coefficients,
        Region.PHI: offsets.tables << image.machine.phi_log2 + 1,
    }
    for region, unit, index, words in image.words:
        if region == Region.REGISTERS and index == Register.CYCLES:
            continue  # counters run on: so they come to large numbers
        if region == Region.RATES:  # the whole memory, zero but for the constant ones
            yield region, unit, index, np.roll(words, offsets.rates)
        elif region != Region.PROGRAM:
            yield region, unit, index + up.get(region, 0), words


def slow(image: Image, rng: np.random.Generator) -> tuple[Operation, ...]:
    """The program with pauses of up to `LONGEST` cycles between groups and between operations."""
    machine = image.machine
    beat, chain = machine.interval, 0
    stretched: list[Operation] = []
    for op in image.operations:
        if op.kind == Kind.FORWARD and op.head:
            chain = _pause(rng, beat)
        more = {Kind.FORWARD: chain, Kind.MEMBRANE: chain, Kind.BACK: _pause(rng, 1)}
        own = op.interval + more.get(op.kind, 0)
        stretched.append(replace(op, interval=own) if op.kind in more else op)
    operations = schedule(stretched, machine).operations
    # a MEMBRANE follows the sums it takes; operations that move words have no time of their own
    rigid, kept = (Kind.FORWARD, Kind.END, *STREAMS), 0
    paused: list[Operation] = []
    for op in operations:
        if op.kind == Kind.BACK:  # what comes before its sweep begins comes beside its pushes
            kept = Timing(machine).lead
        if op.kind not in rigid and op.delay >= kept:
            op = replace(op, delay=op.delay + _pause(rng, beat))
        kept -= op.delay
        paused.append(op)
    return tuple(paused)


def _pause(rng: np.random.Generator, beat: int) -> int:
    """Cycles, a multiple of `beat`; few in most cases."""
    return int(2 ** rng.uniform(0, np.log2(LONGEST))) // beat * beat * int(rng.random() < 0.5)
