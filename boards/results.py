# SPDX-License-Identifier: Apache-2.0
"""Builds that were placed, routed and timed: their stored records."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from antevolt.boards.board import Board
from antevolt.boards.build import Build
from antevolt.boards.measure import DATA, machine_of
from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import write_whole

__all__ = ["builds", "clock", "keep", "path", "stored", "untimed"]

UNTIMED = {"gowin": "multipliers not timed"}
"""What nextpnr leaves out of a family's clocks."""


def path(name: str) -> Path:
    """The record of a board."""
    return DATA / f"build-{name}.json"


def keep(result: Build) -> None:
    """Store a build as the record of its board."""
    DATA.mkdir(exist_ok=True)
    text = json.dumps(result.to_dict(), indent=1, sort_keys=True)
    write_whole(path(result.board), text + "\n")


def stored(board: Board) -> Build | None:
    """The record of a board's preset; None where it has none, or one of another preset.

    Raises BadFile for a record that cannot be read.
    """
    file = path(board.name)
    if not file.exists():
        return None
    try:
        found = Build.from_dict(json.loads(file.read_text()))
        own = machine_of(found.machine)
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{file} is no record of a build: {error}") from error
    return found if own == board.machine else None


def clock(board: Board, result: Build) -> str:
    """The clock of a build, median of its seeds, and what it leaves out."""
    left_out = untimed(board)
    return f"{result.median:.1f} MHz" + (f" ({left_out})" if left_out else "")


def untimed(board: Board) -> str:
    """What a board's clock leaves out, in words; empty where it is the clock of everything."""
    return UNTIMED.get(board.part.family, "")


def builds(boards: Iterable[Board]) -> Iterator[tuple[Board, Build]]:
    """Those of them that have a record, with it. Raises BadFile."""
    for board in boards:
        if (found := stored(board)) is not None:
            yield board, found
