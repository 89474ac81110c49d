# SPDX-License-Identifier: Apache-2.0
"""`antevolt task mnist1d`: MNIST-1D learned on the chip, seed by seed; a run can be resumed."""

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
from typing import Any, Literal

import click
import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.campaign import commit
from antevolt.host.version import version
from antevolt.sim.tasks.mnist1d import ETA, Settings, compare, learn, machine, network
from antevolt.sim.tasks.mnist1d_data import train_split

__all__ = ["command", "summary"]

Record = dict[str, Any]
EPOCH = re.compile(r"\{\s+\"epoch\":.*?\n    \}", re.DOTALL)
OF = Settings()
"""Defaults of the options."""


class _Rate(ProgressColumn):
    """Sequences learned in a second."""

    def __init__(self, sequences: int):
        super().__init__()
        self.sequences = sequences

    def render(self, task: Task) -> Text:
        return Text(f"{(task.speed or 0) * self.sequences:.0f} sequences/s")


def _integers(least: int) -> Callable[[click.Context, click.Parameter, str], tuple[int, ...]]:
    """For whole numbers from `least` on, with commas between them."""

    def parse(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            raise click.BadParameter(f"{value!r} is no list of whole numbers, as 0,1,2") from None
        if min(numbers) < least:
            raise click.BadParameter(f"{min(numbers)} is below {least}")
        return numbers

    return parse


def summary(settings: Settings, runs: Sequence[Record]) -> Record:
    """All runs of these settings, for a file; means in per cent, None until all are finished.

    `test` and `valid` are those of the last epoch.
    """
    finished = [run for run in runs if run["test"] is not None]
    whole = len(finished) == len(runs)
    core = machine(settings)

    def mean(values: list[float]) -> float | None:
        return round(100 * float(np.mean(values)), 3) if whole else None

    return {
        "task": "mnist1d",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version(),
        "commit": commit(),
        "finished": whole,
        "settings": settings.to_dict(),
        "weights": network(settings, 0).weight_count,
        "core": core.name,
        "formats": asdict(core.formats),
        "seeds": [run["seed"] for run in runs],
        "mean_valid": mean([run["epochs"][-1]["valid"] for run in finished]),
        "mean_test": mean([run["test"] for run in finished]),
        "seconds": sum(run["seconds"] for run in runs),
        "runs": list(runs),
    }


def _run_all(
    settings: Settings, seeds: Sequence[int], out: Path, jobs: int, until: float
) -> list[Record]:
    train_split()  # once, before the runs share it; and says so early where the package is missing
    stop = threading.Event()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs,"),
        _Rate(settings.batches * settings.streams),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), speed_estimate_period=300) as bar:
        tasks = [bar.add_task(f"seed {seed}", total=settings.epochs, start=False) for seed in seeds]

        def advance(task: Any) -> Callable[[int], None]:
            def done(epochs: int) -> None:
                if bar.tasks[task].started:
                    bar.advance(task, epochs)
                else:  # what is there already is no speed
                    bar.update(task, completed=epochs)
                    bar.start_task(task)

            return done

        # Threads: the compiled model works without the interpreter's lock.
        pool = ThreadPoolExecutor(jobs)
        try:
            futures = [
                pool.submit(learn, settings, seed, out, advance(task), until, stop)
                for seed, task in zip(seeds, tasks, strict=True)
            ]
            return [future.result() for future in futures]
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _table(result: Record) -> Table:
    settings = result["settings"]
    table = Table(
        title=f"MNIST-1D, {result['weights']} weights, rule {settings['rule']}, "
        f"{settings['optimizer']}, {settings['word']} bits"
    )
    for name in ("seed", "epochs", "train %", "valid %", "test %", "seconds", "saturations"):
        table.add_column(name, justify="right", no_wrap=True)
    for run in result["runs"]:
        epochs = run["epochs"]
        looked = [e["valid"] for e in epochs if e["valid"] is not None]
        table.add_row(
            str(run["seed"]),
            f"{len(epochs)} of {settings['epochs']}",
            f"{100 * epochs[-1]['train']:.2f}" if epochs else "",
            f"{100 * looked[-1]:.2f}" if looked else "",
            "" if run["test"] is None else f"{100 * run['test']:.2f}",
            f"{run['seconds']:.0f}",
            f"{sum(sum(e['counters']['saturated'].values()) for e in epochs):,}",
        )
    return table


def _lines(result: Record) -> str:
    """JSON with one line per epoch."""
    text = json.dumps(result, indent=1)
    return EPOCH.sub(lambda found: " ".join(found[0].split()), text) + "\n"


def _write(path: Path, result: Record) -> None:
    try:
        path.write_text(_lines(result))
    except OSError as error:
        raise click.ClickException(f"cannot write {path}: {error}") from error


def _compared(settings: Settings, seed: int, batches: int, out: Path, as_json: bool) -> None:
    """Exit status 1 where a bit differs, or the cycles."""
    result = compare(settings, seed, batches)
    _write(out / "compare.json", result)
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


@click.command("mnist1d")
@click.option(
    "--seeds", callback=_integers(0), default="0", show_default=True, help="Runs, as 0,1,2."
)
@click.option("--epochs", type=click.IntRange(1), default=OF.epochs, show_default=True)
@click.option(
    "--device",
    type=click.Choice(["model", "model:numpy", "rtl"]),
    default="model",
    show_default=True,
)
@click.option(
    "--rule",
    type=click.Choice(["trace", "gle", "instantaneous"]),
    default="trace",
    show_default=True,
    help="Of the hidden populations.",
)
@click.option("--optimizer", type=click.Choice(list(ETA)), default="sign", show_default=True)
@click.option(
    "--eta", type=float, help=f"At the start. [default: {ETA['sign']} (sign), {ETA['adam']} (adam)]"
)
@click.option("--word", type=click.Choice(["18", "16"]), default="18", show_default=True)
@click.option(
    "--hidden",
    callback=_integers(1),
    default=",".join(map(str, OF.hidden)),
    show_default=True,
    help="Sizes of the hidden populations.",
)
@click.option("--streams", type=click.IntRange(1, 64), default=OF.streams, show_default=True)
@click.option("--rows", type=click.IntRange(1), default=OF.rows, show_default=True)
@click.option(
    "--train",
    type=click.IntRange(1, 4000),
    default=OF.train,
    show_default=True,
    help="Training sequences.",
)
@click.option(
    "--valid",
    type=click.IntRange(1, 2000),
    default=OF.valid,
    show_default=True,
    help="Fresh sequences, looked at on the way.",
)
@click.option(
    "--test",
    type=click.IntRange(1, 1000),
    default=OF.test,
    show_default=True,
    help="Test sequences, read once, at the end.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=OF.every,
    show_default=True,
    help="Epochs from one look at the fresh sequences to the next.",
)
@click.option("--amplitude", type=float, default=OF.amplitude, show_default=True)
@click.option("--ramp", type=float, default=OF.ramp, show_default=True)
@click.option("--beta", type=float, default=OF.beta, show_default=True)
@click.option("--gain", "g", type=float, default=OF.g, show_default=True, help="g of each layer.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Seeds at once.")
@click.option(
    "--deadline",
    type=click.FloatRange(0),
    help="Seconds after which no epoch is begun; the same command again goes on.",
)
@click.option(
    "--compare",
    "batches",
    type=click.IntRange(1),
    help="Learn only so many batches, on the device and on the model, and compare all bits.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/mnist1d"),
    show_default=True,
    help="Folder of mnist1d.json, mnist1d.png and the runs; made if it is missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of a table.")
def command(
    seeds: tuple[int, ...],
    eta: float | None,
    optimizer: Literal["sign", "adam"],
    word: str,
    jobs: int,
    deadline: float | None,
    batches: int | None,
    out: Path,
    as_json: bool,
    **options: Any,
) -> None:
    """Classify sequences of 72 samples, learned inside the core by a local rule.

    A run writes a record and a checkpoint after every epoch, and goes on from there when the same
    command is given again. The last epoch counts, not the best one.
    """
    # Drawing needs matplotlib, which takes longer to import than everything else together.
    from antevolt.sim.tasks.mnist1d_figure import draw

    began = time.monotonic()
    if len(set(seeds)) != len(seeds):
        raise BadInput(f"seeds {seeds} has one twice")
    rate = ETA[optimizer] if eta is None else eta
    settings = Settings(optimizer=optimizer, eta=rate, word=int(word), **options)
    if settings.train < settings.streams:
        raise BadInput(f"{settings.train} sequences do not fill {settings.streams} streams once")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot make the folder {out}: {error}") from error
    if batches is not None:
        _compared(settings, seeds[0], batches, out, as_json)
        return
    until = math.inf if deadline is None else began + deadline
    result = summary(settings, _run_all(settings, seeds, out, jobs, until))
    picture, record = out / "mnist1d.png", out / "mnist1d.json"
    title = f"MNIST-1D: {result['weights']} weights, rule {settings.rule}, {settings.optimizer}"
    try:
        draw(picture, f"{title}, {settings.word} bits", result["runs"])
    except OSError as error:
        raise click.ClickException(f"cannot write {picture}: {error}") from error
    _write(record, result)
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    console = Console(highlight=False)
    Console(width=max(console.width, 80)).print(_table(result))
    if result["finished"]:
        count = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
        console.print(
            f"mean of {count} after {settings.epochs} epochs: valid {result['mean_valid']:.2f} %, "
            f"test {result['mean_test']:.2f} %"
        )
    else:
        console.print("not finished; the same command goes on")
    console.print(f"picture: {picture}\nrecord:  {record}", soft_wrap=True)
