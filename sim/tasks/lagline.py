# SPDX-License-Identifier: Apache-2.0
"""`antevolt demo lagline`: learned weights and time constants, GLE against instantaneous errors.

Runs the task of `antevolt.sim.tasks.lag_chain` in the float model, prints a table and draws a
picture. Exit status 1 if the picture cannot be written.
"""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from antevolt.host.files import make_folder
from antevolt.sim.tasks.lag_chain import ETA, PERIOD, TAU_M, WEIGHTS, History, learn

__all__ = ["command"]


def _summary(history: History) -> dict[str, Any]:
    losses = [s.final_loss for s in history.students]
    times = [s.time_to(1e-3) for s in history.students]
    return {
        "rule": history.rule,
        "median_loss": float(np.median(losses)),
        "below_1e-3": history.reached(1e-3),
        "below_1e-5": history.reached(1e-5),
        "students": [
            {
                "seed": s.seed,
                "first_loss": float(s.loss[0]),
                "final_loss": s.final_loss,
                "time_to_1e-3": time,
                "weights": s.weights[-1].tolist(),
                "tau_m": s.tau_m[-1].tolist(),
            }
            for s, time in zip(history.students, times, strict=True)
        ],
    }


def _table(summaries: list[dict[str, Any]]) -> Table:
    table = Table(title=f"LagLine; the teacher has w = {WEIGHTS} and tau_m = {TAU_M}")
    for name in ("errors", "seed", "loss before", "loss after", "t to 1e-3", "w", "tau_m"):
        table.add_column(name, justify="left" if name == "errors" else "right", no_wrap=True)
    for summary in summaries:
        for student in summary["students"]:
            time = student["time_to_1e-3"]
            table.add_row(
                summary["rule"],
                str(student["seed"]),
                f"{student['first_loss']:.1e}",
                f"{student['final_loss']:.1e}",
                "never" if time is None else f"{time:.0f}",
                ", ".join(f"{w:.2f}" for w in student["weights"]),
                ", ".join(f"{tau:.2f}" for tau in student["tau_m"]),
            )
        table.add_section()
    return table


@click.command("lagline")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Folder of the picture lagline.png; made if it is missing.  [default: here]",
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True)
@click.option(
    "--periods",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="Periods of the input to learn for; one is 4 units of time, 400 steps.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def command(out: Path, seeds: int, periods: int, as_json: bool) -> None:
    """Learn weights and time constants of two slow neurons, with and without prospective errors.

    Float model, one stream per student, plain SGD with a change at each step. Both rules start
    from the same students and see the same inputs.
    """
    # Drawing needs matplotlib, which takes longer to import than everything else together.
    from antevolt.sim.tasks.lagline_figure import draw

    make_folder(out)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    histories = []
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        for prospective, name in ((True, "GLE errors"), (False, "instantaneous errors")):
            task = bar.add_task(name, total=periods)
            histories.append(
                learn(
                    seeds,
                    periods,
                    prospective_errors=prospective,
                    progress=lambda done, task=task: bar.advance(task, done),  # type: ignore[misc]
                )
            )
    picture = out / "lagline.png"
    draw(picture, *histories)
    summaries = [_summary(history) for history in histories]
    if as_json:
        steps = periods * PERIOD
        click.echo(
            json.dumps(
                {"steps": steps, "eta": ETA, "picture": str(picture), "rules": summaries}, indent=2
            )
        )
        return
    console = Console()
    Console(width=max(console.width, 90)).print(_table(summaries))
    for summary in summaries:
        console.print(
            f"{summary['rule']}: median loss {summary['median_loss']:.1e}; below 1e-3: "
            f"{summary['below_1e-3']} of {seeds}, below 1e-5: {summary['below_1e-5']} of {seeds}"
        )
    console.print(
        "The lags of the two neurons nearly commute: a student matches the teacher's output "
        "long before its parameters are the teacher's, and often with tau_m in the other order."
    )
    console.print(f"picture: {picture}", soft_wrap=True)
