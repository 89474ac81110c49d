# SPDX-License-Identifier: Apache-2.0
"""`antevolt task NAME`: seed by seed, with a result file and a picture; a run can be resumed."""

import json
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as Row
from rich.table import Table
from rich.text import Text

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.files import make_folder, write_whole
from antevolt.host.version import version
from antevolt.sim.tasks.run import commit, compare, learn
from antevolt.sim.tasks.setting import integers, options_of
from antevolt.sim.tasks.task import Record, Settings, Task

__all__ = ["TaskCommand", "command", "summary"]

ELSEWHERE = ("jobs", "deadline", "steps", "out", "as_json")
"""Parameters of every task's command that say how and where it runs."""
GIVEN = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT)
EPOCH = re.compile(r"\{\s+\"epoch\":.*?\n    \}", re.DOTALL)


class _Rate(ProgressColumn):
    """Steps done in a second."""

    def __init__(self, steps: int):
        super().__init__()
        self.steps = steps

    def render(self, task: Row) -> Text:
        return Text(f"{(task.speed or 0) * self.steps:.0f} steps/s")


def summary(task: Task, settings: Settings, runs: Sequence[Record]) -> Record:
    """All runs of these settings, for a file; means are None until all are finished.

    `test` is that of the last epoch.
    """
    finished = [run for run in runs if run["test"] is not None]
    whole = len(finished) == len(runs)
    core = task.machine(settings)
    result = {
        "task": task.name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version(),
        "commit": commit(),
        "finished": whole,
        "settings": settings.to_dict(),
        "weights": task.network(settings, 0).weight_count,
        "core": core.name,
        "formats": asdict(core.formats),
        "seeds": [run["seed"] for run in runs],
        "measure": task.measure,
        "lines": dict(task.lines(settings)),
        "seconds": sum(run["seconds"] for run in runs),
    }
    for name in ("test", *task.more):
        values = [run[name] for run in runs if run.get(name) is not None]
        if name == "test" or values:
            whole = len(values) == len(runs)
            result[f"mean_{name}"] = float(np.mean(values)) if whole else None
    return {**result, "runs": list(runs)}


def _run_all(
    task: Task,
    settings: Settings,
    seeds: Sequence[int],
    out: Path,
    jobs: int,
    until: float,
    more: Sequence[str],
) -> list[Record]:
    task.samples(settings, seeds[0], 0)  # once, before runs share data; missing packages show early
    stop = threading.Event()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs,"),
        _Rate(task.steps(settings)),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=300) as bar:
        rows = [bar.add_task(f"seed {seed}", total=settings.epochs, start=False) for seed in seeds]

        def advance(row: Any) -> Callable[[int], None]:
            def done(epochs: int) -> None:
                if bar.tasks[row].started:
                    bar.advance(row, epochs)
                else:  # what is there already is no speed
                    bar.update(row, completed=epochs)
                    bar.start_task(row)

            return done

        # Threads: the compiled model works without the interpreter's lock.
        pool = ThreadPoolExecutor(jobs)
        try:
            futures = [
                pool.submit(learn, task, settings, seed, out, advance(row), until, stop, more)
                for seed, row in zip(seeds, rows, strict=True)
            ]
            return [future.result() for future in futures]
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _table(task: Task, settings: Settings, result: Record) -> Table:
    table = Table(title=f"{task.title(settings)}; {result['weights']} weights; {task.measure}")
    more = [name for name in task.more if f"mean_{name}" in result]
    for name in ("seed", "epochs", *task.series, "test", *more, "seconds", "saturations"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in result["runs"]:
        epochs = run["epochs"]
        cells = [str(run["seed"]), f"{len(epochs)} of {settings.epochs}"]
        for name in task.series:
            there = [e[name] for e in epochs if e[name] is not None]
            cells.append(task.shown(there[-1]) if there else "")
        for name in ("test", *more):
            cells.append("" if run.get(name) is None else task.shown(run[name]))
        saturated = sum(sum(e["counters"]["saturated"].values()) for e in epochs)
        table.add_row(*cells, f"{run['seconds']:.0f}", f"{saturated:,}")
    return table


def _lines(result: Record) -> str:
    """JSON with one line per epoch."""
    text = json.dumps(result, indent=1)
    return EPOCH.sub(lambda found: " ".join(found[0].split()), text) + "\n"


def _compared(
    task: Task, settings: Settings, seed: int, steps: int, out: Path, as_json: bool
) -> None:
    """Exit status 1 where a bit differs, or the cycles."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps,"),
        _Rate(1),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=60) as bar:

        def told(device: str) -> Callable[[int], None]:
            row = bar.add_task(device, total=min(steps, task.steps(settings)))
            return lambda done: bar.advance(row, done)

        result = compare(task, settings, seed, steps, told)
    write_whole(out / "compare.json", _lines(result))
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        click.echo(
            f"{result['device']} {result['core']} against the model: {result['differing_bits']} "
            f"bits differ in {result['words_compared']} words after {result['steps']} steps; "
            f"{result['cycles']} cycles, by the model {result['cycles_of_the_model']}"
        )
    if result["differing_bits"] or result["cycles"] != result["cycles_of_the_model"]:
        raise SystemExit(1)


def _learned(
    task: Task,
    settings: Settings,
    seeds: Sequence[int],
    out: Path,
    jobs: int,
    deadline: float | None,
    more: Sequence[str],
    as_json: bool,
) -> None:
    """All runs, their picture, record and table."""
    # Drawing needs matplotlib, which takes longer to import than everything else together.
    from antevolt.sim.tasks.run_figure import draw

    until = math.inf if deadline is None else time.monotonic() + deadline
    runs = _run_all(task, settings, seeds, out, jobs, until, more)
    result = summary(task, settings, runs)
    picture, record = out / f"{task.name}.png", out / f"{task.name}.json"
    draw(picture, task, settings, runs)
    write_whole(record, _lines(result))
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    console = Console(highlight=False)
    Console(width=max(console.width, 80)).print(_table(task, settings, result))
    if result["finished"]:
        count = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
        console.print(
            f"mean of {count} after {settings.epochs} epochs: test "
            f"{task.shown(result['mean_test'])}"
        )
    else:
        console.print("not finished; the same command goes on")
    console.print(f"picture: {picture}\nrecord:  {record}", soft_wrap=True)


def _options(task: Task) -> list[Callable[[Any], Any]]:
    """Of every task, and its own in between."""
    more = [
        click.option(f"--{name}", name, is_flag=True, help=about)
        for name, (about, _) in task.more.items()
    ]
    return [
        click.option(
            "--seeds", callback=integers(0), default="0", show_default=True, help="Runs, as 0,1,2."
        ),
        click.option(
            "--device",
            type=click.Choice(["model", "model:numpy", "rtl", "float"]),
            default="model",
            show_default=True,
            help="float: float64 in place of the core's words, by the core's learning rates.",
        ),
        *options_of(task.settings),
        *more,
        click.option(
            "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Seeds at once."
        ),
        click.option(
            "--deadline",
            type=click.FloatRange(0),
            help="Seconds after which no epoch is begun; the same command again goes on.",
        ),
        click.option(
            "--compare",
            "steps",
            type=click.IntRange(1),
            help="Learn only so many steps, on the device and on the model, and compare all bits.",
        ),
        click.option(
            "--out",
            type=click.Path(file_okay=False, path_type=Path),
            default=Path("out") / task.name,
            show_default=True,
            help=f"Folder of {task.name}.json, {task.name}.png and the runs; made if missing.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of a table."),
    ]


class TaskCommand(click.Command):
    """The command of `task`."""

    task: Task

    def parsed(self, arguments: Sequence[str]) -> tuple[Settings, tuple[int, ...]]:
        """Settings and seeds that a command line means. Raises click's errors and BadInput."""
        with self.make_context(self.name, list(arguments)) as ctx:
            values = dict(ctx.params)
            given = [name for name in ELSEWHERE if ctx.get_parameter_source(name) in GIVEN]
        if given:
            raise BadInput(f"{', '.join(given)} is no setting of {self.name}")
        seeds: tuple[int, ...] = values.pop("seeds")
        for name in (*ELSEWHERE, *self.task.more):
            del values[name]
        return self.task.settings.of(**values), seeds


def command(task: Task) -> TaskCommand:
    """The command of a task."""

    def run(
        seeds: tuple[int, ...],
        jobs: int,
        deadline: float | None,
        steps: int | None,
        out: Path,
        as_json: bool,
        **options: Any,
    ) -> None:
        more = [name for name in task.more if options.pop(name)]
        if len(set(seeds)) != len(seeds):
            raise BadInput(f"seeds {seeds} has one twice")
        settings: Settings = task.settings.of(**options)
        make_folder(out)
        if steps is not None:
            _compared(task, settings, seeds[0], steps, out, as_json)
        else:
            _learned(task, settings, seeds, out, jobs, deadline, more, as_json)

    run.__doc__ = f"""{task.help}

    A run writes a record and a checkpoint after every epoch, and goes on from there when the same
    command is given again. The last epoch counts, not the best one.
    """
    for option in reversed(_options(task)):
        run = option(run)
    made = click.command(task.name, cls=TaskCommand)(run)
    names = [parameter.name for parameter in made.params]
    if len(set(names)) != len(names):
        raise RuntimeError(f"{task.name} has two options of one name: {sorted(map(str, names))}")
    made.task = task
    return made
