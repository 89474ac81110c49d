# SPDX-License-Identifier: Apache-2.0
"""How a network would do on a board, before any synthesis."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from antevolt.boards.board import Board
from antevolt.boards.build import RESOURCES
from antevolt.boards.model import needed
from antevolt.boards.pace import expected
from antevolt.boards.synthesis import Usage
from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.link import CRC_BYTES, HEADER_BYTES, PAYLOAD_BYTES
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.hdl.spec.program import Kind
from antevolt.host.compile import Image, compile
from antevolt.host.constants import OF_POPULATION

__all__ = ["Estimate", "Speed", "estimate", "fitting", "short_of"]

BIT_TIMES = 10  # of a byte on the line: start, eight bits, stop
FRAMING = 2  # bytes that COBS and the delimiter add to a frame
PLACED, FULL = ("luts", "ffs", "slots"), 0.9
"""What a placer has to find places for one by one, and the share of them beyond which it tends to
find none."""


@dataclass(frozen=True)
class Speed:
    """How fast a network runs.

    cycles_learning, cycles_plain  of a step that applies changes, and of one that does not: the
        compiler's, which the core keeps exactly
    cycles        of a step, on average: one in `apply_every` applies
    steps         per second, each of all streams, with inputs always there
    synapses      learned per second: weights x streams x steps
    latency       microseconds from a step's start to its first output word
    link_steps    steps per second that the serial line can carry, all outputs sent; None: no line
    link_load     share of the line that `steps` would need; above 1 the line is the limit
    """

    cycles_learning: int
    cycles_plain: int
    cycles: float
    steps: float
    synapses: float
    latency: float
    link_steps: float | None
    link_load: float | None


@dataclass(frozen=True)
class Estimate:
    """A network on a board.

    core_fits   whether the board's part holds the board's core, by the model
    foretold    the clock that place and route should find, in MHz, by the builds of other boards
        (`pace`); None where those are too few
    short       the first resource that is short, and by how much
    largest     hidden neurons per layer, of a network of this shape, that still fit
    """

    board: str
    core: str
    megahertz: float
    foretold: float | None
    needs: Usage
    holds: Usage
    core_fits: bool
    fits: bool
    short: str
    largest: tuple[int, ...] | None
    speed: Speed | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def estimate(network: Network, board: Board) -> Estimate:
    """Raises BadNetwork for a network that no core can run."""
    needs = needed(board)
    short = short_of(board, needs)
    try:
        image = compile(network, board.machine)
    except DoesNotFit as error:
        largest = fitting(network, board.machine)
        return _found(board, needs, not short, short or str(error), largest, None)
    return _found(board, needs, not short, short, None, speed(image, board))


def _found(
    board: Board,
    needs: Usage,
    core_fits: bool,
    short: str,
    largest: tuple[int, ...] | None,
    found: Speed | None,
) -> Estimate:
    return Estimate(
        board.name, board.machine.name, board.pll.hz / 1e6, expected(board), needs,
        board.part.holds, core_fits, core_fits and found is not None, short, largest, found,
    )  # fmt: skip


def short_of(board: Board, needs: Usage) -> str:
    """The resource of which most is missing; empty: none is."""
    need, holds = needs.to_dict(), board.part.holds.to_dict()
    usable = {name: n * FULL if name in PLACED else n for name, n in holds.items()}
    worst = max(need, key=lambda name: need[name] / max(1, usable[name]))
    if need[worst] <= usable[worst]:
        return ""
    most = f", of which {FULL:.0%} can be placed" if need[worst] <= holds[worst] else ""
    name = RESOURCES[worst]
    return f"the core needs {need[worst]} {name}, {board.part.name} has {holds[worst]}{most}"


def speed(image: Image, board: Board) -> Speed:
    """Of a compiled network."""
    network, table, hz = image.network, image.timetable, board.pll.hz
    every = network.apply_every
    cycles = table.cycles_plain + (table.cycles_learning - table.cycles_plain) / every
    steps = hz / cycles
    streams = image.machine.total_streams
    link = board.baud / (BIT_TIMES * _bytes(image)) if board.linked else None
    return Speed(
        table.cycles_learning, table.cycles_plain, round(cycles, 2), steps,
        network.weight_count * streams * steps, 1e6 * _first_output(image) / hz, link,
        steps / link if link else None,
    )  # fmt: skip


def _first_output(image: Image) -> int:
    """Cycles from a step's start to its first output word."""
    table = image.timetable
    operations = table.operations
    first = next((n for n, op in enumerate(operations) if op.kind == Kind.OUTPUT), None)
    if first is None:
        return table.cycles_plain
    before = type(table)((*operations[:first], operations[-1]), table.machine)
    return before.cycles_plain


def _bytes(image: Image) -> float:
    """Bytes of a step on the busier of the two directions: inputs and targets, or outputs."""
    network, machine = image.network, image.machine
    word, streams, outputs = machine.formats.word, machine.total_streams, network.sizes[-1]
    there = streams * (network.sizes[0] + outputs) * word
    back = streams * outputs * (word + 1)
    frame = 1 + (HEADER_BYTES + CRC_BYTES + FRAMING) / PAYLOAD_BYTES
    return max(there, back) / 8 * frame


def fitting(network: Network, machine: Machine) -> tuple[int, ...] | None:
    """The hidden sizes of the largest network of this shape that fits, by one common factor."""

    def scaled(factor: float) -> Network:
        hidden = [_scaled(p, factor) for p in network.populations[:-1]]
        return network.with_(populations=(*hidden, network.populations[-1]))

    low, high, best = 0.0, 1.0, None
    for _ in range(12):
        middle = (low + high) / 2
        smaller = scaled(middle)
        try:
            compile(smaller, machine)
        except DoesNotFit:
            high = middle
        else:
            low, best = middle, smaller
    return best.sizes[1:-1] if best is not None else None


def _scaled(population: Population, factor: float) -> Population:
    """One neuron at least, and all have the constants of the first."""
    constants = {name: getattr(population, name) for name in OF_POPULATION}
    firsts = {name: each[0] for name, each in constants.items() if isinstance(each, tuple)}
    return replace(population, size=max(1, int(population.size * factor)), **firsts)
