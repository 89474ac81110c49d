# SPDX-License-Identifier: Apache-2.0
"""`antevolt build`: from a board to a bitstream and a report."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from antevolt.boards.bitstream import put
from antevolt.boards.board import Board
from antevolt.boards.build import Build, build
from antevolt.boards.catalogue import board
from antevolt.boards.export import export
from antevolt.boards.page import baked, page
from antevolt.boards.progress import Progress
from antevolt.boards.results import keep, untimed
from antevolt.boards.standalone import standalone
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import read
from antevolt.host.bake import bake
from antevolt.host.files import write_record, write_whole

__all__ = ["command"]


def _print(result: Build, report: str, out: Path) -> None:
    console = Console()
    console.print(report, highlight=False, markup=False)
    if result.bitstream is None:
        console.print(f"MISSED its clock of {result.target:g} MHz: no bitstream", highlight=False)
    console.print(f"in {out}", highlight=False)


def _target(name: str, network: Path | None, teacher: str | None, state: Path | None) -> Board:
    """The board, or the board with a network in it."""
    plain = board(name)
    if network is None:
        if teacher is not None or state is not None:
            raise BadInput("--teacher and --state go with a network; give it with --network")
        return plain
    if teacher is None:
        raise BadInput(
            "a board with a network in it has no host; give the component that teaches it with "
            "--teacher MODULE:CLASS (antevolt.hdl.lagged:Lagged is one)"
        )
    found, parameters = read(network)
    return standalone(plain, bake(found, plain.machine, parameters, state), teacher)


@click.command("build")
@click.argument("name", metavar="BOARD")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the results; out/BOARD by default."
)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, 99),
              help="Runs of place and route; the fastest makes the bitstream.")  # fmt: skip
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="A network's JSON file, to be in the core at power-up; needs --teacher.",
)
@click.option(
    "--teacher",
    metavar="MODULE:CLASS",
    help="The component that gives inputs and targets, instead of the serial line.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="A file of Device.save: what the network has learned so far.",
)
@click.option("--anyway", is_flag=True, help="Also where the estimate says that it will not fit.")
@click.option(
    "--native",
    "natively",
    is_flag=True,
    help="With the nextpnr on the search path, not the package's: takes less time, and a "
    "seed has other results.",
)
@click.option("--record", is_flag=True, help="Also keep the report among the records of the docs.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    name: str,
    out: Path | None,
    seeds: int,
    network: Path | None,
    teacher: str | None,
    state: Path | None,
    anyway: bool,
    natively: bool,
    record: bool,
    as_json: bool,
) -> None:
    """Make BOARD's bitstream and a report (JSON and a page), with the open tools.

    With --network and --teacher the board needs no host: the network is in its bitstream, and
    learns from power-up on what the component TEACHER teaches it.

    Takes minutes to an hour; what was built once is found again. A board that needs a vendor's tool
    gets a project for it. Exit status: 0 done, 1 the clock was missed, 2 bad input.
    """
    target = _target(name, network, teacher, state)
    if record and target.told and not target.hostless:
        raise BadInput("--record keeps builds of a board's preset; this one has a network in it")
    folder = out or Path("out") / target.name
    if target.vendor:
        files = export(target, folder)
        text = [str(file) for file in files]
        click.echo(json.dumps(text) if as_json else f"a project for {target.vendor}: {folder}")
        if target.told and not as_json:
            click.echo(baked(target.told))
        return
    with Progress(target.name) as say:
        result, kept = build(target, tuple(range(1, seeds + 1)), say, anyway, natively)
    # First, so that no older bitstream stands beside this report.
    put(target.name, folder, kept / result.bitstream if result.bitstream is not None else None)
    write_record(folder / "report.json", result.to_dict())
    report = page(result, untimed(target))
    write_whole(folder / "report.md", report)
    if record:
        keep(result)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        _print(result, report, folder)
    if result.bitstream is None:
        sys.exit(1)
