# SPDX-License-Identifier: Apache-2.0
"""`antevolt run`: a network over recorded data, on any device, with checkpoints."""

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from antevolt.host.device import open as open_device
from antevolt.host.run import Run, read_data
from antevolt.host.verify_command import machine_of, machine_options

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command("run")
@click.argument("network", type=FILE)
@click.option("--data", required=True, type=FILE, help="A .npz file: x, and y and flags if any.")
@click.option("--out", required=True, type=FILE, help="The folder of the run.")
@click.option("--device", default="model", show_default=True, help="What to run on.")
@click.option("--learn", is_flag=True, help="Learn in every step that has a target.")
@click.option("--every", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--resume", is_flag=True, help="Go on from the folder's last checkpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per checkpoint.")
@machine_options
def command(
    network: Path,
    data: Path,
    out: Path,
    device: str,
    learn: bool,
    every: int,
    resume: bool,
    as_json: bool,
    **core: int,
) -> None:
    """Stream the samples of a file through NETWORK (a JSON file, with weights beside it if any) and
    keep outputs and a checkpoint after each EVERY steps.

    Killed at any moment, it goes on with --resume; the outputs and the last state are those of a
    run that was never interrupted, bit for bit.
    """
    samples = read_data(data)
    machine = None if device.startswith(("serial:", "tcp:")) else machine_of(**core)
    console = Console(stderr=True)
    columns = (
        *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
        *(TextColumn("{task.fields[about]}"), TimeRemainingColumn()),
    )
    with (
        open_device(device, machine=machine, deadline=600.0) as opened,
        Progress(*columns, console=console, disable=not console.is_terminal) as bar,
    ):
        run = Run(out, opened, network, samples, learn, resume)
        task = bar.add_task("steps", total=samples.steps, completed=run.position, about="")
        for progress in run.steps(every):
            loss = "" if progress.loss is None else f"loss {progress.loss:.5f}, "
            about = f"{loss}{progress.steps_per_second:.0f} steps/s"
            bar.update(task, completed=progress.step, about=about)
            if as_json:
                click.echo(json.dumps(asdict(progress)))
    if not as_json:
        click.echo(f"{samples.steps} steps; outputs and checkpoint in {out}")
