# SPDX-License-Identifier: Apache-2.0
"""`antevolt sweep NAME`: many runs of a task with drawn settings; a sweep can be resumed."""

import json
import threading
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.extras import install
from antevolt.host.files import make_folder, write_record
from antevolt.host.version import version
from antevolt.sim.tasks.run import commit
from antevolt.sim.tasks.run_command import TaskCommand
from antevolt.sim.tasks.space import parse
from antevolt.sim.tasks.sweep import Sweep, abandoned, cost, done, opened, result, run
from antevolt.sim.tasks.task import Record, Settings, Task

if TYPE_CHECKING:
    from optuna import Study

__all__ = ["command", "subject"]

BEST = 10  # rows of the table
LOOK = 0.5  # seconds from one look at the journal to the next
PACKAGES = ("joblib", "matplotlib", "optuna")


def subject(name: str) -> TaskCommand:
    """The command of a task. Raises BadInput."""
    from antevolt.host.cli import task as group

    names = group.list_commands(click.Context(group))
    if name not in names:
        raise BadInput(f"there is no task {name!r}; there are {', '.join(names)}")
    found = group.get_command(click.Context(group), name)
    if not isinstance(found, TaskCommand):
        raise BadInput(f"{name} cannot be swept")
    return found


def settings_of(name: str, options: Sequence[str], values: dict[str, Any]) -> Settings:
    """As the task's command reads them. Raises BadInput."""
    given = [f"--{option}={value}" for option, value in values.items()]
    try:
        return subject(name).parsed([*options, *given])[0]
    except click.UsageError as error:
        raise BadInput(error.format_message()) from error


def find(name: str, options: Sequence[str]) -> tuple[Task, Any]:
    """What a worker runs, looked up in its own process."""
    return subject(name).task, partial(settings_of, name, options)


def _figure_of(task: Task, figure: str | None) -> str:
    chosen = task.series[-1] if figure is None else figure
    if chosen not in task.series:
        raise BadInput(f"{task.name} has no figure {chosen!r}; it has {', '.join(task.series)}")
    return chosen


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 120 else f"{minutes // 60} h {minutes % 60:02d} min"


def _check_packages() -> None:
    """Before anything is written. Raises BadInput."""
    for name in PACKAGES:
        if find_spec(name) is None:
            raise BadInput(f"{name} is not installed; {install('sweep', 'sim')} brings it")


def _agreed(task: Task, settings: Settings, sweep: Sweep, left: int, jobs: int, yes: bool) -> None:
    """Say what it will cost with such settings, and ask."""
    steps, seconds = cost(task, settings)
    runs = left * len(sweep.seeds)
    click.echo(
        f"{left} trials of {len(sweep.seeds)} seeds, {settings.epochs} epochs, {steps:,} steps a "
        f"run: about {_span(runs * seconds / jobs)} without looks at other samples, if {jobs} at "
        "once are as fast as one, and no trial is given up",
        err=True,
    )
    if not yes:
        click.confirm("Begin?", abort=True, err=True)


def _watched(sweep: Sweep, study: "Study", jobs: int, dask: str | None) -> None:
    """Run the trials while a bar shows how many are done."""
    failure: list[BaseException] = []

    def body() -> None:
        try:
            run(sweep, study, jobs, dask)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=body, daemon=True)
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True)) as bar:
        row = bar.add_task("", total=sweep.trials, completed=len(done(study)))
        thread.start()
        while thread.is_alive():
            thread.join(LOOK)
            ended = done(study)
            best = max(ended, key=_rank(study), default=None)
            text = "" if best is None or best.value is None else f"best {best.value:.4g}"
            bar.update(row, completed=len(ended), description=text)
    if failure:
        raise failure[0]


def _rank(study: "Study") -> Any:
    sign = 1 if study.direction.name == "MAXIMIZE" else -1
    return lambda trial: float("-inf") if trial.value is None else sign * trial.value


def _table(task: Task, found: Record) -> Table:
    names = list(found["space"])
    table = Table(title=f"{found['task']}: {found['figure']}, best trials")
    for name in ("trial", *names, found["figure"], "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    complete = [t for t in found["trials"] if t["state"] == "complete"]
    complete.sort(key=lambda t: t["value"], reverse=task.higher)
    for trial in complete[:BEST]:
        values = [trial["values"][name] for name in names]
        cells = [f"{v:.4g}" if isinstance(v, float) else str(v) for v in values]
        figure = task.shown(trial["value"])
        table.add_row(str(trial["number"]), *cells, figure, f"{trial['seconds']:.0f}")
    return table


def _searched(
    task: Task, sweep: Sweep, about: Record, jobs: int, dask: str | None, yes: bool
) -> Record:
    """All trials, with those of earlier calls."""
    middle = sweep.settings({name: one.middle for name, one in sweep.space.items()})
    make_folder(sweep.folder)
    study = opened(sweep, task.higher, about)
    abandoned(sweep, study)
    began = time.monotonic()
    left = sweep.trials - len(done(study))
    if left > 0:
        _agreed(task, middle, sweep, left, jobs, yes)
        _watched(sweep, study, jobs, dask)
    found = result(study, about, list(sweep.space))
    found |= {"version": version(), "commit": commit(), "seconds": time.monotonic() - began}
    return found


def _shown(task: Task, found: Record, picture: Path, record: Path) -> None:
    """The best trials, and what else a user should know."""
    console = Console(highlight=False)
    Console(width=max(console.width, 80)).print(_table(task, found))
    refused = [t["refused"] for t in found["trials"] if t["refused"]]
    if refused:
        console.print(
            f"{len(refused)} trials had settings that are refused, the last: {refused[-1]}",
            markup=False,
            soft_wrap=True,
        )
    console.print(f"picture: {picture}\nrecord:  {record}", soft_wrap=True)


@click.command(context_settings={"ignore_unknown_options": False})
@click.argument("name", metavar="TASK")
@click.option(
    "--over",
    multiple=True,
    required=True,
    metavar="OPTION=RANGE",
    help="What is varied: eta=1e-4..1e-2:log, streams=1..40, optimizer=sign,adam. Repeatable.",
)
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True)
@click.option("--figure", help="Of an epoch; the last one counts. [default: the task's last]")
@click.option("--sampler", type=click.Choice(["tpe", "random"]), default="tpe", show_default=True)
@click.option("--sampler-seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--prune/--no-prune",
    default=True,
    show_default=True,
    help="Give up runs whose first seed is below the median of the others.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option("--dask", metavar="ADDRESS", help="Run on the cluster of this Dask scheduler.")
@click.option("--yes", is_flag=True, help="Do not ask whether it may take so long.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out") / "sweep",
    show_default=True,
    help="Folder of sweep.journal, sweep.json and sweep.png; a sweep there is resumed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of a table.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def command(
    name: str,
    over: tuple[str, ...],
    trials: int,
    figure: str | None,
    sampler: str,
    sampler_seed: int,
    prune: bool,
    jobs: int,
    dask: str | None,
    yes: bool,
    out: Path,
    as_json: bool,
    options: tuple[str, ...],
) -> None:
    """Search for the settings of a task: Optuna draws them, trial by trial.

    Options of `antevolt task TASK` that all trials share follow after `--`. What is searched for is
    a figure of the last epoch, of samples that are not the test set. The same command again, with
    more trials if need be, goes on.
    """
    _check_packages()
    from antevolt.sim.tasks.sweep_figure import draw

    task_command = subject(name)
    task = task_command.task
    known = {opt.lstrip("-") for p in task_command.params for opt in p.opts}
    sweep = Sweep(
        find=partial(find, name, options),
        space=parse(over, known.__contains__),
        figure=_figure_of(task, figure),
        seeds=task_command.parsed(options)[1],
        trials=trials,
        folder=out,
        sampler=sampler,
        sampler_seed=sampler_seed,
        prune=prune,
    )
    about: Record = {
        "task": name,
        "options": list(options),
        "space": {key: str(one) for key, one in sweep.space.items()},
        "figure": sweep.figure,
        "seeds": list(sweep.seeds),
    }
    found = _searched(task, sweep, about, jobs, dask, yes)
    picture, record = out / "sweep.png", out / "sweep.json"
    write_record(record, found)
    draw(picture, task, sweep.space, found)
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        _shown(task, found, picture, record)
