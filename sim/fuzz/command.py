# SPDX-License-Identifier: Apache-2.0
"""`antevolt fuzz`: broken input by the million, with a record."""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.campaign import commit
from antevolt.host.files import write_record
from antevolt.host.finite import POSITIVE
from antevolt.host.progress_bar import progress_bar
from antevolt.host.version import version
from antevolt.sim.fuzz.arguments import ArgumentsTarget
from antevolt.sim.fuzz.campaign import Result, Target, campaign
from antevolt.sim.fuzz.checkpoint_file import CheckpointTarget
from antevolt.sim.fuzz.data_file import DataTarget
from antevolt.sim.fuzz.decoder import DecoderTarget
from antevolt.sim.fuzz.gateware import GatewareTarget
from antevolt.sim.fuzz.network_file import NetworkTarget
from antevolt.sim.fuzz.run_files import RunTarget
from antevolt.sim.fuzz.session import SessionTarget

__all__ = ["TARGETS", "command"]

WRITE_SECONDS = 10.0
TARGETS: dict[str, Callable[[], Target]] = {
    "decoder": DecoderTarget,
    "session": SessionTarget,
    "gateware": GatewareTarget,
    "network": NetworkTarget,
    "checkpoint": CheckpointTarget,
    "data": DataTarget,
    "run": RunTarget,
    "arguments": ArgumentsTarget,
}


@click.command("fuzz")
@click.argument("targets", nargs=-1, type=click.Choice(list(TARGETS)))
@click.option("--inputs", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1e9, type=POSITIVE,
              help="Stop after so many seconds, of each target.")  # fmt: skip
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--out", type=click.Path(path_type=Path), help="A JSON file; other targets stay.")
@click.option("--resume", is_flag=True, help="Go on from what that file holds of this commit.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    targets: tuple[str, ...],
    inputs: int,
    seconds: float,
    seed: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Feed changed input to what reads from outside: the link's decoder and session, the parser of
    a simulated board, the loaders of networks and checkpoints, the command line. Without TARGETS,
    to all of them.

    Each input may be taken or refused with an error of antevolt's own. Exit status: 1 when one led
    to anything else, to a long wait or to much memory; else 0.
    """
    console, made = Console(stderr=True), commit()
    found: dict[str, Any] = {}
    with progress_bar(console) as bar:
        for name in targets or TARGETS:
            task = bar.add_task(name, total=inputs)

            written = time.monotonic()

            def progress(result: Result, task: Any = task) -> None:
                nonlocal written
                bar.update(task, completed=result.inputs)
                if out is not None and time.monotonic() - written > WRITE_SECONDS:
                    written = time.monotonic()
                    _write(out, {**found, result.target: _record(result, made)})

            before = _before(out, name, seed, made) if resume and out is not None else None
            target = TARGETS[name]()
            result = campaign(target, inputs, seed, seconds, progress=progress, before=before)
            found[name] = _record(result, made)
            if not as_json:
                _print(result)
    if out is not None:
        _write(out, found)
    if as_json:
        click.echo(json.dumps(found))
    if not all(record["passed"] for record in found.values()):
        sys.exit(1)


def _record(result: Result, made: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"date": now, "commit": made, "version": version(), **result.to_dict()}


def _before(out: Path, name: str, seed: int, made: str) -> Result | None:
    """What the file holds of a target, if that is of this commit and seed."""
    try:
        record = json.loads(out.read_text())[name]
        same = record["commit"] == made and record["seed"] == seed and not made.endswith("+")
        return Result.from_dict(record) if same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(out: Path, found: dict[str, Any]) -> None:
    try:
        before = json.loads(out.read_text()) if out.exists() else {}
        record = {**before, **found}
    except (OSError, ValueError, TypeError) as error:
        raise BadFile(f"{out} holds no results ({error}); give another file") from error
    write_record(out, record)


def _print(result: Result) -> None:
    say = click.echo
    say(f"{result.target}: {result.inputs} inputs, {result.seconds:.0f} s, seed {result.seed}")
    refused = ", ".join(f"{name} {count}" for name, count in sorted(result.refused.items()))
    say(f"  taken {result.taken}, refused: {refused or 'none'}")
    say(f"  failures {result.failures}, slowest {1000 * result.slowest:.1f} ms")
    for kind, text in result.described.items():
        say(f"  {kind}: {text}")
