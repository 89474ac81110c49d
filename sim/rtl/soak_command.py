# SPDX-License-Identifier: Apache-2.0
"""`antevolt soak`: one long session with a simulated board, with a record."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from antevolt.host.campaign import commit
from antevolt.host.files import write_record
from antevolt.host.finite import POSITIVE
from antevolt.host.version import version
from antevolt.sim.rtl.lines import LINES
from antevolt.sim.rtl.soak import Result, soak

__all__ = ["command"]


@click.command("soak")
@click.option("--bytes", "total", default=1_000_000, show_default=True, type=click.IntRange(1000))
@click.option("--seconds", default=1e9, type=POSITIVE, help="Stop after so many seconds.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--line", type=click.Choice(list(LINES)), default="large", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Write the result to this JSON file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    total: int, seconds: float, seed: int, line: str, out: Path | None, as_json: bool
) -> None:
    """Send so many bytes between a host that pauses at random and a simulated board, both ways.

    Exit status: 0 when all came back right and the process took no more memory at the end than
    after a quarter, else 1.
    """
    console, made, result = Console(stderr=True), commit(), Result(seed, line)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("bytes", total=total)
        soak(
            LINES[line](),
            result,
            total,
            seconds,
            progress=lambda result: bar.update(task, completed=result.bytes),
        )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"date": now, "commit": made, "version": version(), **result.to_dict()}
    if out is not None:
        write_record(out, record)
    if as_json:
        click.echo(json.dumps(record))
    else:
        _print(result)
    if not result.passed:
        sys.exit(1)


def _print(r: Result) -> None:
    say = click.echo
    say(f"{r.bytes} bytes, {r.frames} frames, {r.words} words looked at, {r.seconds:.0f} s")
    say(f"  wrong {r.wrong}, failed {r.failed}, counts that did not add up {r.disagreed}")
    say(f"  pauses {r.pauses}, {r.paused:.1f} s of the line; rate renewed {r.renewals} times")
    sizes = ", ".join(f"{name} {size / 2**20:.1f}" for name, size in r.resident.items())
    say(f"  memory in MB: {sizes}")
    for message in r.messages:
        say(f"  {message}")
