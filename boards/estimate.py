# SPDX-License-Identifier: Apache-2.0
"""How a network would do on a board, before any synthesis."""

from bisect import bisect_left
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

__all__ = ["Estimate", "Link", "Speed", "estimate", "fitting", "short_of"]

BIT_TIMES = 10  # of a byte on the line: start, eight bits, stop
FRAMING = 2  # bytes that COBS and the delimiter add to a frame
PLACED, FULL = ("luts", "ffs", "slots"), 0.9
"""What a placer has to find places for one by one, and the share of them beyond which it tends to
find none."""
DEMONSTRATED = "needs are with the demonstration in it; another program takes other cells"
"""Of a board without a host."""


@dataclass(frozen=True)
class Link:
    """Steps per second that a serial line can carry, by direction.

    to_board    inputs and a new target in each step
    held        likewise, without a target that is new
    from_board  all outputs
    """

    to_board: float
    held: float
    from_board: float


@dataclass(frozen=True)
class Speed:
    """How fast a network runs.

    cycles_learning, cycles_plain  of a step that applies changes, and of one that does not: the
        compiler's, which the core keeps exactly
    cycles        of a step, on average: one in `apply_every` applies
    steps         per second, each of all streams, with inputs always there
    synapses      learned per second: weights of projections that learn x streams x steps
    latency       microseconds from a step's start to its first output word
    link_steps    steps per second that the busier direction of the serial line can carry; None, as
        the other two: there is no line
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
    link: Link | None


@dataclass(frozen=True)
class Estimate:
    """A network on a board.

    core_fits   whether the board's part holds the board's core, by the model
    foretold    the clock that place and route should find, in MHz, by the builds of other boards
        (`pace`); None where those are too few
    short       the first resource that is short, and by how much
    largest     hidden neurons per layer, of a network of this shape, that still fit; None: the
        network fits, or no such network does
    remark      what the needs are of, where that is not any network; else empty
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
    remark: str

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
        DEMONSTRATED if board.hostless else "",
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
    link = _link(image, board.baud) if board.linked else None
    carried = min(link.to_board, link.from_board) if link else None
    return Speed(
        table.cycles_learning, table.cycles_plain, round(cycles, 2), steps,
        _learned(network) * streams * steps, 1e6 * _first_output(image) / hz,
        carried, steps / carried if carried else None, link,
    )  # fmt: skip


def _learned(network: Network) -> int:
    """Weights and biases that learn."""
    n = network.sizes
    return sum((n[p.source] + p.bias) * n[p.target] for p in network.projections if p.learn)


def _first_output(image: Image) -> int:
    """Cycles from a step's start to its first output word."""
    table = image.timetable
    operations = table.operations
    first = next((n for n, op in enumerate(operations) if op.kind == Kind.OUTPUT), None)
    if first is None:
        return table.cycles_plain
    before = type(table)((*operations[:first], operations[-1]), table.machine)
    return before.cycles_plain


def _link(image: Image, baud: int) -> Link:
    network, machine = image.network, image.machine
    word, inputs, outputs = machine.formats.word, network.inputs, network.outputs
    frame = 1 + (HEADER_BYTES + CRC_BYTES + FRAMING) / PAYLOAD_BYTES
    per_bit = BIT_TIMES / 8 * frame * machine.total_streams
    bits = (inputs + outputs) * word, inputs * word, outputs * (word + 1)
    return Link(*(baud / (per_bit * each) for each in bits))


def fitting(network: Network, machine: Machine) -> tuple[int, ...] | None:
    """The hidden sizes of a network of this shape that fits, where one whose largest population has
    a neuron more does not; the others follow by the same factor. None: there is none."""
    hidden, output = network.populations[:-1], network.populations[-1]
    most = max((p.size for p in hidden), default=0)

    def scaled(size: int) -> Network:
        smaller = (_resized(p, max(1, p.size * size // most)) for p in hidden)
        return network.with_(populations=(*smaller, output))

    def too_large(size: int) -> bool:
        try:
            compile(scaled(size), machine)
        except DoesNotFit:
            return True
        return False

    if not most or too_large(1):
        return None
    best = bisect_left(range(1, most + 1), True, key=too_large)
    return scaled(best).sizes[1:-1]


def _resized(population: Population, size: int) -> Population:
    """Neurons out of its own, evenly and in their order: equal ones still stand together."""
    kept = [(2 * n + 1) * population.size // (2 * size) for n in range(size)]
    constants = {name: getattr(population, name) for name in OF_POPULATION}
    each: dict[str, Any] = {
        name: tuple(values[n] for n in kept)
        for name, values in constants.items()
        if isinstance(values, tuple)
    }
    return replace(population, size=size, **each)
