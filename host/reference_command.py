# SPDX-License-Identifier: Apache-2.0
"""`antevolt reference FILE.npz ...`: replay recorded trajectories in the float model.

Exit status: 0 if every quantity of every file agrees within 1e-9, 1 if one does not (a number
that is not finite does not), 2 if a file is not a trajectory.
"""

import json
import math
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.golden.vectors import TOLERANCE, Difference, read, replay

__all__ = ["command"]


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return ""
    colour = "green" if difference.agrees else "red"
    return f"[{colour}]{difference.largest:.1e}[/{colour}]"


def _table(differences: tuple[Difference, ...]) -> Table:
    """Largest absolute differences; rows are quantities, columns are layers."""
    layers = 1 + max(d.layer for d in differences)
    table = Table()
    table.add_column("quantity")
    for layer in range(layers):
        table.add_column(f"layer {layer}", justify="right", no_wrap=True)
    table.add_column("first off at step", justify="right")
    for quantity in dict.fromkeys(d.quantity for d in differences):
        row = {d.layer: d for d in differences if d.quantity == quantity}
        steps = [d.first_step for d in row.values() if d.first_step is not None]
        cells = [_cell(row.get(layer)) for layer in range(layers)]
        table.add_row(quantity, *cells, str(min(steps)) if steps else "")
    return table


def _report(path: Path, differences: tuple[Difference, ...]) -> dict[str, Any]:
    return {
        "file": str(path),
        "ok": all(d.agrees for d in differences),
        "differences": [
            {
                "quantity": d.quantity,
                "layer": d.layer,
                # JSON has no NaN: null says that a number was not finite.
                "largest": None if math.isnan(d.largest) else d.largest,
                "first_step": d.first_step,
                "ok": d.agrees,
            }
            for d in differences
        ],
    }


@click.command("reference")
@click.argument(
    "files", metavar="FILE.npz...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Replay recorded trajectories in the float64 model and print the largest differences.

    Exits with 0 if all are below 1e-9, with 1 if one is not or is not finite, and with 2 if a
    file cannot be read as a trajectory. The format is described in antevolt.sim.golden.vectors.
    """
    reports: list[dict[str, Any]] = []
    console, errors = Console(), Console(stderr=True)
    for path in files:
        try:
            differences = replay(read(path))
        except BadFile as error:
            reports.append({"file": str(path), "ok": False, "error": str(error)})
            errors.print(f"BadFile: {error}", style="red", markup=False, soft_wrap=True)
            continue
        reports.append(_report(path, differences))
        if not as_json:
            console.print(str(path), style="bold", markup=False, soft_wrap=True)
            # As wide as the layers need, also where the output is a file of 80 columns.
            layers = 1 + max(d.layer for d in differences)
            Console(width=max(console.width, 40 + 11 * layers)).print(_table(differences))
    good = sum(report["ok"] for report in reports)
    bad = sum("error" in report for report in reports)
    if as_json:
        click.echo(json.dumps({"tolerance": TOLERANCE, "ok": good == len(files), "files": reports}))
    else:
        console.print(
            f"{good} of {len(files)} files agree within {TOLERANCE:g}"
            + (f"; {bad} could not be read" if bad else "")
        )
    context.exit(2 if bad else int(good < len(files)))
