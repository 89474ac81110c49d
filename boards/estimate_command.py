# SPDX-License-Identifier: Apache-2.0
"""`antevolt estimate`: how a network would do on a board, before any synthesis."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from antevolt.boards.board import Board
from antevolt.boards.build import RESOURCES
from antevolt.boards.catalogue import BOARDS, board
from antevolt.boards.estimate import Estimate, Link, Speed, estimate
from antevolt.boards.results import clock, stored
from antevolt.hdl.spec.network import Network, read

__all__ = ["command"]


def _print(network: Network, target: Board, found: Estimate) -> None:
    console = Console()
    resources = Table("resource", "needs", "has", "share", title=f"{found.core} on {found.board}")
    for name, need in found.needs.to_dict().items():
        has = found.holds.to_dict()[name]
        if need or has:  # not every family has all of them
            share = f"{need / has:.0%}" if has else "-"
            resources.add_row(RESOURCES[name], str(need), str(has), share)
    console.print(resources)
    for text in (found.remark, found.short):
        if text:
            console.print(text, highlight=False)
    if found.largest:
        console.print(f"the largest of this shape that fits: hidden {found.largest}")
    if found.speed is None:
        if not found.largest and len(network.populations) > 1:
            console.print("no hidden size fits, not even one neuron in each population")
        return
    sizes = "-".join(map(str, network.sizes))
    title = f"network {sizes}, new targets in each step"
    s, console_table = found.speed, Table("speed", "", title=title)
    for name, text in {
        "cycles per step": f"{s.cycles:g} ({s.cycles_plain} plain, {s.cycles_learning} applying)",
        "steps per second": f"{s.steps:,.0f} at {found.megahertz:g} MHz{_carried(s, s.steps)}",
        "learned synapses per second": f"{s.synapses:,.0f}{_carried(s, s.synapses)}",
        "latency to the first output": f"{s.latency:.2f} us",
        **_line(target, s),
    }.items():
        console_table.add_row(name, text)
    console.print(console_table)
    for text in _advice(target, s):
        console.print(text, highlight=False)
    console.print(_how(target, found.foretold), highlight=False)


def _carried(s: Speed, rate: float) -> str:
    """What the serial line leaves of a rate of the core."""
    return "" if s.link_load is None else f", {rate / max(1, s.link_load):,.0f} with the line"


def _ways(link: Link) -> list[tuple[str, float]]:
    """Steps per second by direction, the busier one first."""
    ways = [("to the board", link.to_board), ("from the board", link.from_board)]
    return sorted(ways, key=lambda way: way[1])


def _line(target: Board, s: Speed) -> dict[str, str]:
    if s.link is None:
        return {"link": "none: a teacher is built in (docs/standalone.md)"}
    return {
        f"link {way}, {target.baud} baud": f"{steps:,.0f} steps per second, load "
        f"{s.steps / steps:.0%}"
        for way, steps in _ways(s.link)
    }


def _advice(target: Board, s: Speed) -> Iterator[str]:
    """What helps in each direction that is slower than the core."""
    if s.link is None:
        return
    sums = "sum, argmax, " if target.machine.sums else ""
    helps = {
        "to the board": "a new target in each step is assumed; targets that stay the same are sent "
        f"once (docs/link.md): without new ones it carries {s.link.held:,.0f} steps per second",
        "from the board": "all outputs of each step are assumed; put out less with set_outputs: "
        f"every k-th step, last, {sums}none (docs/outputs.md)",
    }
    slow = [way for way, steps in _ways(s.link) if steps < s.steps]
    for which, way in zip(("is the limit", "would be, too"), slow, strict=False):
        yield f"the line {way} {which}: {helps[way]}"


def _how(target: Board, foretold: float | None) -> str:
    result = stored(target)
    if result is None:
        text = "LUTs and flip-flops from a model, the clock is the preset's; nothing was placed"
        if foretold is not None:
            text += f". Builds of other boards foretell {foretold:.0f} MHz"
        return text
    asked = target.pll.hz / 1e6
    state = "met" if result.reaches(asked) else "missed"
    inside = ", with the demonstration in it" if target.hostless else ""
    return (
        f"place and route found {clock(target, result)} (build {result.id}{inside}), the preset's "
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
