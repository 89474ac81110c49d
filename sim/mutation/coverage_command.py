# SPDX-License-Identifier: Apache-2.0
"""`antevolt coverage`: which lines and branches of the gateware the short comparison reaches."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from antevolt.host.campaign import commit
from antevolt.host.files import write_record
from antevolt.host.version import version
from antevolt.sim.mutation.coverage import Point, by_file, measure, missed
from antevolt.sim.mutation.machines import MACHINE

__all__ = ["command"]


@click.command("coverage")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result to this JSON file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(out: Path | None, as_json: bool) -> None:
    """Drive a netlist that counts through the short comparison, and say what it reached, by files
    of the gateware and kinds of points: blocks and branches of Amaranth's Verilog."""
    found = _result(measure())
    if out is not None:
        write_record(out, found)
    if as_json:
        click.echo(json.dumps(found))
        return
    table = Table("file", "kind", "reached", "of")
    for file, kinds in found["files"].items():
        for kind, (reached, of) in kinds.items():
            table.add_row(file, kind, str(reached), str(of))
    Console().print(table)
    click.echo(f"{found['reached']} of {found['points']} points reached")
    for line, count in found["missed"].items():
        click.echo(f"  NOT REACHED {line}: {count}")


def _result(points: list[Point]) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "version": version(),
        "machine": MACHINE.name,
        "points": len(points),
        "reached": sum(point.count > 0 for point in points),
        "files": by_file(points),
        "missed": missed(points),
    }
