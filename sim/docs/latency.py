# SPDX-License-Identifier: Apache-2.0
"""How long a step of one stream takes on the boards that have one: cycles and clock of a build; and
in how many cycles it would be done with more or fewer rows."""

from collections.abc import Iterator
from dataclasses import replace

from antevolt.boards.board import Board
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.model import needed
from antevolt.boards.results import stored
from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import Image, compile
from antevolt.sim.docs.slots import NETWORK

__all__ = ["SMALL", "latency", "latency_by_rows"]

SMALL = Network(32, (Population(128, "tanh", 2.0), Population(8, "linear")), apply_every=72)
"""The network of the design's wish for the small ECP5."""


BY_ROWS = "ulx3s-85f-latency"
ROWS = (9, 18, 27, 54)


def _images(board: Board) -> Iterator[Image]:
    """Both networks in both schedules, where the board's core holds them."""
    for network in (NETWORK, SMALL):
        for schedule in ("sequential", "parallel"):
            try:
                yield compile(network.with_(schedule=schedule), board.machine)
            except DoesNotFit:
                continue


def latency() -> str:
    """A table of the boards with one stream."""
    lines = [
        (
            "| board | core | network | schedule | cycles | the same, with an APPLY | clock "
            "| a step | with an APPLY | build |"
        ),
        "|---" * 10 + "|",
    ]
    for board in BOARDS.values():
        if board.machine.total_streams > 1 or board.vendor:
            continue
        result = stored(board)
        clock, build = board.pll.hz / 1e6, "not placed: the preset's clock"
        if result is not None:
            clock, build = result.median, f"`{result.id}`"
        for image in _images(board):
            table, sizes = image.timetable, "-".join(map(str, image.network.sizes))
            plain, learning = table.cycles_plain, table.cycles_learning
            lines.append(
                f"| `{board.name}` | {board.machine.name} | {sizes} | {image.network.schedule} "
                f"| {plain:,} | {learning:,} | {clock:.1f} MHz | {plain / clock:.1f} us "
                f"| {learning / clock:.1f} us | {build} |"
            )
    return "\n".join(lines)


def latency_by_rows() -> str:
    """A table of one board's core with other numbers of rows, and its share of the part."""
    board = BOARDS[BY_ROWS]
    heads = ("rows", "sequential", "parallel", "LUTs", "flip-flops")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for rows in ROWS:
        weights = board.machine.w_depth * board.machine.rows // rows
        depth = max(16, 1 << (weights - 1).bit_length())
        own = replace(board.machine, rows=rows, w_depth=depth)
        tables = [
            compile(NETWORK.with_(schedule=schedule), own).timetable.cycles_plain
            for schedule in ("sequential", "parallel")
        ]
        used, part = needed(replace(board, machine=own)), board.part.holds
        lines.append(
            f"| {rows} | {tables[0]:,} | {tables[1]:,} "
            f"| {used.luts / part.luts:.0%} | {used.ffs / part.ffs:.0%} |"
        )
    return "\n".join(lines)
