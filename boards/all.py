# SPDX-License-Identifier: Apache-2.0
"""Everything that `docs/fit.md` tells: all syntheses that are missing, and all presets placed.

    python -m antevolt.boards.all --seeds 3 [--native] [--again]

Takes hours. Each result is kept as soon as it is there; a board that has a record of this very
content is passed over, so that it can be stopped and taken up again.
"""

from typing import get_args

import click

from antevolt.boards import components, deep, links, measure, pieces, sealed
from antevolt.boards.board import Board
from antevolt.boards.build import build, identify
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.demonstration import demonstrated
from antevolt.boards.place import NATIVE
from antevolt.boards.progress import Progress
from antevolt.boards.results import clock, keep, stored
from antevolt.boards.synthesis import Architecture
from antevolt.hdl.spec.errors import AntevoltError

__all__ = ["command", "current"]

WHOLE = (components, deep, links, sealed)
"""What each of them stores is made at once."""


def syntheses(again: bool) -> None:
    """The cores and components that the resource model is fitted to and held against."""
    told = ["--again"] if again else []
    for architecture in get_args(Architecture):
        measure.command.main([architecture, *told], standalone_mode=False)
    pieces.command.main(told, standalone_mode=False)
    for module in WHOLE:
        if again or not module.FILE.exists():
            module.command.main([], standalone_mode=False)


def current(board: Board, seeds: int) -> bool:
    """There is a record of this very content, whichever nextpnr placed it, of as many seeds."""
    found = stored(board)
    if found is None or len(found.seeds) + len(found.stopped) < seeds:
        return False
    tool = NATIVE[board.part.family]
    own = (tool, found.tools[tool]) if tool in found.tools else None
    return found.id == identify(demonstrated(board), own)[0]


@click.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1, 99))
@click.option("--board", "names", multiple=True, help="Only these boards; all by default.")
@click.option("--native", "natively", is_flag=True, help="With the nextpnr on the search path.")
@click.option("--again", is_flag=True, help="Also syntheses that have a record.")
def command(seeds: int, names: tuple[str, ...], natively: bool, again: bool) -> None:
    """Synthesise what is missing, then build every board; those without a host with the
    demonstration."""
    syntheses(again)
    for board in BOARDS.values():
        passed_over = board.vendor or (names and board.name not in names)
        if passed_over or current(board, seeds):
            continue
        wanted = tuple(range(1, seeds + 1))
        try:
            with Progress(board.name) as say:
                result, _ = build(demonstrated(board), wanted, say, natively=natively)
        except AntevoltError as error:
            click.echo(f"{board.name}: {error}")
            continue
        keep(result)
        click.echo(f"{board.name}: median {clock(board, result)} of {len(result.seeds)} seeds")


if __name__ == "__main__":
    command()
