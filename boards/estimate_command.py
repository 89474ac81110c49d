# SPDX-License-Identifier: Apache-2.0
"""`antevolt estimate`: how a network would do on a board, before any synthesis."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from antevolt.boards.board import Board
from antevolt.boards.catalogue import BOARDS, board
from antevolt.boards.estimate import Estimate, Speed, estimate
from antevolt.boards.results import clock, stored
from antevolt.hdl.spec.network import Network, read

__all__ = ["command"]


def _print(network: Network, target: Board, found: Estimate) -> None:
    console = Console()
    resources = Table("resource", "needs", "has", "share", title=f"{found.core} on {found.board}")
    for name, need in found.needs.to_dict().items():
        has = found.holds.to_dict()[name]
        share = f"{need / has:.0%}" if has else "-"
        resources.add_row(name, str(need), str(has), share)
    console.print(resources)
    if found.short:
        console.print(found.short, highlight=False)
    if found.largest:
        console.print(f"the largest of this shape that fits: hidden {found.largest}")
    if found.speed is None:
        return
    sizes = "-".join(map(str, network.sizes))
    s, console_table = found.speed, Table("speed", "", title=f"network {sizes}")
    for name, text in {
        "cycles per step": f"{s.cycles:g} ({s.cycles_plain} plain, {s.cycles_learning} applying)",
        "steps per second": f"{s.steps:,.0f} at {found.megahertz:g} MHz",
        "learned synapses per second": f"{s.synapses:,.0f}",
        "latency to the first output": f"{s.latency:.2f} us",
        **_line(target, s),
    }.items():
        console_table.add_row(name, text)
    console.print(console_table)
    if s.link_load is not None and s.link_load > 1:
        console.print(
            "the serial line is the limit: send fewer outputs (output mode last, sum, every k-th)"
        )
    console.print(_how(target, found.foretold), highlight=False)


def _line(target: Board, s: Speed) -> dict[str, str]:
    if s.link_steps is None:
        return {"link": "none: a teacher is built in (docs/standalone.md)"}
    load = f"{s.link_steps:,.0f} steps per second, load {s.link_load:.0%}"
    return {f"link, {target.baud} baud": load}


def _how(target: Board, foretold: float | None) -> str:
    result = stored(target)
    if result is None:
        text = "LUTs and flip-flops from a model, the clock is the preset's; nothing was placed"
        if foretold is not None:
            text += f". Builds of other boards foretell {foretold:.0f} MHz"
        return text
    asked = target.pll.hz / 1e6
    state = "met" if result.reaches(asked) else "missed"
    return (
        f"place and route found {clock(target, result)} (build {result.id}), the preset's "
        f"{asked:g} MHz are {state}; never run on a bench"
    )


@click.command("estimate")
@click.argument("network", type=click.Path(path_type=Path))
@click.option("--board", "name", required=True, help=f"One of {', '.join(BOARDS)}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(network: Path, name: str, as_json: bool) -> None:
    """Say whether NETWORK, a JSON file, fits on a board's core, and how fast it would be.

    Exit status: 0 it fits, 1 it does not, 2 bad input.
    """
    target = board(name)
    described = read(network)[0]
    found = estimate(described, target)
    if as_json:
        click.echo(json.dumps(found.to_dict()))
    else:
        _print(described, target, found)
    if not found.fits:
        sys.exit(1)
