# SPDX-License-Identifier: Apache-2.0
"""`antevolt run`: a network over recorded data, on any device, with checkpoints."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from antevolt.host.core_options import machine_for, machine_options
from antevolt.host.device import open as open_device
from antevolt.host.run import Run
from antevolt.host.run_data import read_data
from antevolt.host.run_view import PlainView, RunView

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command("run")
@click.argument("network", type=FILE)
@click.option("--data", required=True, type=FILE, help="A .npz file: x, and y and flags if any.")
@click.option("--out", required=True, type=FILE, help="The folder of the run.")
@click.option("--device", default="model", show_default=True, help="What to run on.")
@click.option("--learn", is_flag=True, help="Learn in every step that has a target.")
@click.option(
    "--every",
    default=1000,
    show_default=True,
    type=click.IntRange(1),
    help="Steps from one checkpoint to the next.",
)
@click.option("--resume", is_flag=True, help="Go on from the folder's last checkpoint.")
@click.option(
    "--tap",
    "taps",
    multiple=True,
    metavar="NAME",
    help="Record a state, too: u, v, e, r, weight ..., population.1.u, energy; * for any.",
)
@click.option(
    "--tap-every",
    default=100,
    show_default=True,
    type=click.IntRange(1),
    help="Steps from one reading of the taps to the next.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per checkpoint.")
@click.option("--plain", is_flag=True, help="Lines also where there is a terminal.")
@machine_options
def command(
    network: Path,
    data: Path,
    out: Path,
    device: str,
    learn: bool,
    every: int,
    resume: bool,
    taps: tuple[str, ...],
    tap_every: int,
    as_json: bool,
    plain: bool,
    **core: Any,
) -> None:
    """Stream the samples of a file through NETWORK (a JSON file, with weights beside it if any) and
    keep outputs, taps and a checkpoint after each EVERY steps.

    Killed at any moment, it goes on with --resume; the outputs and the last state are those of a
    run that was never interrupted, bit for bit. `antevolt report` draws what it did.
    """
    machine = machine_for(device, **core)
    samples = read_data(data)
    console = Console()
    with (
        open_device(device, machine=machine, deadline=600.0) as opened,
        Run(out, opened, network, samples, learn, resume, taps, tap_every) as run,
    ):
        if as_json:
            for progress in run.steps(every):
                click.echo(json.dumps(progress.to_dict()))
            return
        if plain or not console.is_terminal:
            with PlainView(console) as lines:
                for progress in run.steps(every):
                    lines.checkpoint(progress)
        else:
            core_name = opened.machine.name
            title = f"{network.name} on {device} ({opened.implementation}), core {core_name}"
            title += ", learning" if learn else ""
            with RunView(console, title, opened, run.position, samples.steps) as view:
                for progress in run.steps(every, view.watch):
                    view.checkpoint(progress)
    click.echo(f"{samples.steps} steps; outputs and checkpoint in {out}")
