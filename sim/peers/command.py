# SPDX-License-Identifier: Apache-2.0
"""`antevolt bench`: the same job on boards, a processor core, the models and the netlist."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from antevolt.hdl.spec.errors import BadInput
from antevolt.sim.peers.bench import CPU_STREAMS, Row, rows
from antevolt.sim.peers.growth import picture

__all__ = ["command", "verdict"]


def _rival(found: list[Row], streams: int) -> Row:
    """The processor with the streams that come nearest."""
    own = [row for row in found if row.name == "one processor core"]
    return min(own, key=lambda row: abs(row.streams - streams))


def verdict(found: list[Row]) -> list[str]:
    """Who wins, in words: per step with one stream, and in learned synapses per second."""
    boards = [row for row in found if "cycles at" in row.how]
    own = [row for row in found if row.name == "one processor core"]
    lines = []
    if boards and own:
        fastest, core = (max(group, key=lambda r: r.synapses) for group in (boards, own))
        ratio = fastest.synapses / core.synapses
        who = "the board" if ratio > 1 else "the processor core"
        lines.append(
            f"learned synapses per second: {fastest.name} with {fastest.streams} streams has "
            f"{ratio:.2f} times what one processor core has at {core.streams}: {who} wins"
        )
        single = [row for row in boards if row.streams == 1]
        if single:
            best = min(single, key=lambda r: r.microseconds)
            ratio = _rival(found, 1).microseconds / best.microseconds
            who = "the board" if ratio > 1 else "the processor core"
            lines.append(
                f"one step of one stream: {best.name} is {ratio:.2f} times as fast as one "
                f"processor core: {who} wins"
            )
    lines.append(
        "A board's step takes the same number of cycles every time, a processor's depends on what "
        "else it does; an ECP5 draws a watt or two, a server core ten or more (not measured here)."
    )
    return lines


@click.command("bench")
@click.option("--rtl/--no-rtl", default=True, help="With the netlist in Verilator, or without it.")
@click.option("--picture", "file", type=click.Path(path_type=Path),
              help="Draw how cycles grow into this file.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(rtl: bool, file: Path | None, as_json: bool) -> None:
    """Compare boards (cycles x clock), one processor core, models and netlist, in one run.

    All figures are ratios to one processor core of this machine at 1 stream.
    """
    if file is not None and file.suffix not in (".png", ".svg", ".pdf"):
        raise BadInput(f"{file} is no picture; give a .png, .svg or .pdf")
    console = Console(stderr=True)
    found = list(rows(lambda what: console.print(what, highlight=False), rtl))
    if file is not None:
        picture(file)
    base = found[0]
    if found[0].streams != CPU_STREAMS[0]:
        raise BadInput("the first measurement is the unit of all others")
    ratios = [row.synapses / base.synapses for row in found]
    if as_json:
        listed = [{**asdict(r), "ratio": x} for r, x in zip(found, ratios, strict=True)]
        click.echo(json.dumps({"rows": listed, "verdict": verdict(found)}))
        return
    table = Table("who", "streams", "us / step", "synapses / s", "ratio", "how")
    for row, ratio in zip(found, ratios, strict=True):
        table.add_row(
            row.name, str(row.streams), f"{row.microseconds:,.1f}", f"{row.synapses:.3g}",
            f"{ratio:.3g}", row.how,
        )  # fmt: skip
    out = Console()
    out.print(table)
    for line in verdict(found):
        out.print(line, highlight=False)
