# SPDX-License-Identifier: Apache-2.0
"""`antevolt build`: from a board to a bitstream and a report."""

import json
import sys
from pathlib import Path

import click
from rich.console import Console

from antevolt.boards.build import Build, build, copy
from antevolt.boards.catalogue import board
from antevolt.boards.export import export
from antevolt.boards.page import page
from antevolt.boards.progress import Progress
from antevolt.boards.results import keep

__all__ = ["command"]


def _print(result: Build, out: Path) -> None:
    console = Console()
    console.print(page(result), highlight=False, markup=False)
    if result.bitstream is None:
        console.print(f"MISSED its clock of {result.target:g} MHz: no bitstream", highlight=False)
    console.print(f"in {out}", highlight=False)


@click.command("build")
@click.argument("name", metavar="BOARD")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder of the results; out/BOARD by default."
)
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, 99),
              help="Runs of place and route; the fastest makes the bitstream.")  # fmt: skip
@click.option("--anyway", is_flag=True, help="Also where the estimate says that it will not fit.")
@click.option("--record", is_flag=True, help="Also keep the report among the records of the docs.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def command(
    name: str, out: Path | None, seeds: int, anyway: bool, record: bool, as_json: bool
) -> None:
    """Make BOARD's bitstream and a report (JSON and a page), with the open tools.

    Takes minutes to an hour; what was built once is found again. A board that needs a vendor's tool
    gets a project for it. Exit status: 0 done, 1 the clock was missed, 2 bad input.
    """
    target = board(name)
    folder = out or Path("out") / target.name
    if target.vendor:
        files = export(target, folder)
        text = [str(file) for file in files]
        click.echo(json.dumps(text) if as_json else f"a project for {target.vendor}: {folder}")
        return
    with Progress(target.name) as say:
        result, kept = build(target, tuple(range(1, seeds + 1)), say, anyway)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(result.to_dict(), indent=1) + "\n")
    (folder / "report.md").write_text(page(result))
    if result.bitstream is not None:
        copy(result, kept, folder)
    if record:
        keep(result)
    if as_json:
        click.echo(json.dumps(result.to_dict()))
    else:
        _print(result, folder)
    if result.bitstream is None:
        sys.exit(1)
