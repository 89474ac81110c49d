# SPDX-License-Identifier: Apache-2.0
"""`antevolt faults`: the fault campaign on the serial link, with a record."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from antevolt.host.version import version
from antevolt.sim.rtl.fault_campaign import Result, campaign

__all__ = ["command"]


@click.command("faults")
@click.option("--faults", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1e9, help="Stop after so many seconds.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--mean", default=600.0, show_default=True, help="Bytes from one fault to the next.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result to this JSON file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    faults: int, seconds: float, seed: int, mean: float, out: Path | None, as_json: bool
) -> None:
    """Disturb the bytes between a host and a simulated board, both ways, while random traffic runs
    whose answers are known.

    Exit status: 0 when nothing wrong got through and nothing hung, else 1.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("faults", total=faults)

        def progress(result: Result) -> None:
            bar.update(task, completed=result.injected)
            _write(out, result)

        result = campaign(faults, seed, mean, seconds=seconds, progress=progress)
    _write(out, result)
    if as_json:
        click.echo(json.dumps(_record(result)))
    else:
        _print(result)
    if not result.passed:
        sys.exit(1)


def _record(result: Result) -> dict[str, object]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"date": now, "commit": _commit(), "version": version(), **result.to_dict()}


def _commit() -> str:
    command = ["git", "rev-parse", "HEAD"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _write(out: Path | None, result: Result) -> None:
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(_record(result), indent=1) + "\n")


def _print(r: Result) -> None:
    say = click.echo
    say(f"{r.injected} faults in {r.line_bytes} bytes, {r.calls} calls, {r.seconds:.0f} s")
    say(f"  wrong and undetected {r.undetected}, hung {r.hangs}, failed {r.failed}")
    say(f"  board switched off {r.resets} times, noticed {r.noticed} times")
    say(f"  frames dropped by the host {r.bad}, sent again {r.resent}, came again {r.repeated}")
    counts = ", ".join(f"{name} {count}" for name, count in sorted(r.dropped.items()))
    say(f"  dropped by the board, as far as heard: {counts or 'none'}")
    say(f"  longest call {1000 * r.slowest:.1f} ms of the line's time")
    for message in r.messages:
        say(f"  {message}")
