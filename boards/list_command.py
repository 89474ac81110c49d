# SPDX-License-Identifier: Apache-2.0
"""`antevolt boards`: the boards, their presets, and what is known of each."""

import json
from typing import Any

import click
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from antevolt.boards.board import Board
from antevolt.boards.build import RESOURCES
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.estimate import short_of
from antevolt.boards.model import needed
from antevolt.boards.results import clock, stored

__all__ = ["command", "describe"]


def describe(board: Board) -> dict[str, Any]:
    """What is known of a board, and how.

    state : "placed and timed here", "estimated", "does not fit", "needs vendor tool"; no board is
    claimed to have run
    """
    needs, result = needed(board), stored(board)
    state, remark = "estimated", ""
    if board.vendor:
        state, remark = "needs vendor tool", f"{board.vendor} makes the bitstream"
    elif result is not None:
        state = "placed and timed here"
        remark = f"{clock(board, result)}, {len(result.seeds)} seed(s), build {result.id}"
        remark += ", with the demonstration in it" if board.hostless else ""
    elif short := short_of(board, needs):
        state, remark = "does not fit", short
    return {
        "board": board.name,
        "title": board.title,
        "part": board.part_name,
        "core": board.machine.name,
        "machine": json.loads(board.machine.to_json()),
        "clock_megahertz": board.pll.hz / 1e6,
        "baud": board.baud,
        "adapter": board.adapter,
        "hostless": board.hostless,
        "lacks": board.lacks,
        "needs": needs.to_dict(),
        "holds": board.part.holds.to_dict(),
        "state": state,
        "remark": remark,
        "median_megahertz": result.median if result is not None else None,
        "ran_on_a_bench": False,
    }


def _fullest(one: dict[str, Any]) -> str:
    """The resource that the preset takes the largest share of."""
    shares = {name: need / one["holds"][name] for name, need in one["needs"].items() if need}
    name = max(shares, key=lambda of: shares[of])
    return f"{RESOURCES[name]} {shares[name]:.0%}"


def _reached(one: dict[str, Any]) -> str:
    """Its clock, or why there is none."""
    median = one["median_megahertz"]
    if median is not None:
        return f"{median:.1f} MHz"
    return "not yet" if one["state"] == "estimated" else "no"


@click.command("boards")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """List the boards with their presets. None of them has run on a bench."""
    found = [describe(board) for board in BOARDS.values()]
    if as_json:
        click.echo(json.dumps(found))
        return
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("board", "part", "core", "MHz", "fullest", "placed here"):
        table.add_column(name, no_wrap=True)
    for one in found:
        clock = f"{one['clock_megahertz']:g}"
        table.add_row(one["board"], one["part"], one["core"], clock, _fullest(one), _reached(one))
    console = Console()
    console.print(table)
    for one in found:
        for name in ("remark", "lacks", "adapter"):
            if one[name]:
                text = f"{one['board']}: {'' if name == 'remark' else name + ' '}{one[name]}"
                console.print(text, highlight=False)
    console.print("none has run on a bench", highlight=False)
