# SPDX-License-Identifier: Apache-2.0
"""`antevolt demo lagnet`: learning inside the RTL, driven from host Python, against the model."""

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from antevolt.host.device import open as open_device
from antevolt.host.files import make_folder, write_record
from antevolt.sim.tasks.lagnet import (
    CORE,
    ETA,
    LEARN_FROM,
    RATES,
    STEPS,
    Run,
    differing_bits,
    learn,
    signals,
)

__all__ = ["command"]

MODEL = "model"
BOUND = 0.02  # largest distance from the teacher's weights that counts as recovered
WORKERS = 2


@dataclass(frozen=True)
class Outcome:
    """All runs: GLE and the instantaneous ones of all rates, by seed.

    bits  in which the first run differs from the golden model's; None: it is the golden model's
    """

    gle: tuple[Run, ...]
    tried: tuple[Run, ...]
    bits: int | None

    @property
    def instantaneous(self) -> tuple[Run, ...]:
        """Of each seed the run at the rate that came closest."""
        seeds = [run.seed for run in self.gle]
        return tuple(
            min((r for r in self.tried if r.seed == seed), key=lambda r: r.weight_error)
            for seed in seeds
        )

    @property
    def failures(self) -> list[str]:
        """What this demonstration claims and did not show."""
        missed = [
            f"GLE, seed {run.seed}: weight error {run.weight_error:.4f} is above {BOUND}"
            for run in self.gle
            if run.weight_error > BOUND
        ]
        missed += [
            f"instantaneous errors, seed {run.seed}: weight error {run.weight_error:.4f} is not "
            f"above {BOUND}, the weights were recovered"
            for run in self.instantaneous
            if run.weight_error <= BOUND
        ]
        missed += [
            f"{run.rule}, seed {run.seed}: {run.cycles} cycles, by the compiler "
            f"{run.cycles_compiled}"
            for run in (*self.gle, *self.tried)
            if run.cycles != run.cycles_compiled
        ]
        if self.bits:
            missed.append(f"{self.bits} bits differ from the golden model")
        return missed


def _run_all(device: str, seeds: int) -> Outcome:
    jobs: list[tuple[str, int, float, bool]] = []
    jobs += [(device, seed, ETA, True) for seed in range(seeds)]
    jobs += [(device, seed, eta, False) for eta in RATES for seed in range(seeds)]
    if device != MODEL:
        jobs += [(MODEL, 0, ETA, True)]
    stop = threading.Event()
    with open_device(device, machine=CORE):
        pass  # a simulator is built here, once, and not by each run
    signals(STEPS)  # once, before the runs share it
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{len(jobs)} runs, steps", total=len(jobs) * STEPS)
        # Threads: a simulator's clock loop runs without the interpreter's lock.
        pool = ThreadPoolExecutor(WORKERS)
        try:
            futures = [
                pool.submit(learn, *job, STEPS, lambda n: bar.advance(task, n), stop)
                for job in jobs
            ]
            runs = [future.result() for future in futures]
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    tried = runs[seeds : seeds + len(RATES) * seeds]
    bits = None if device == MODEL else differing_bits(runs[0], runs[-1])
    return Outcome(tuple(runs[:seeds]), tuple(tried), bits)


def _row(run: Run, bits: int | None) -> dict[str, Any]:
    return {
        "rule": run.rule,
        "seed": run.seed,
        "eta": run.eta,
        "loss": run.loss,
        "weights": run.weights[-1].tolist(),
        "weight_error": run.weight_error,
        "steps_per_second": len(run.outputs) / run.seconds,
        "cycles_per_step": run.cycles_per_step,
        "slot_use": run.slot_use,
        "saturations": run.saturations,
        "differing_bits": bits,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="LagNet: weights of the teacher (-0.5, 1), plain SGD, one stream")
    names = ("errors", "seed", "eta", "loss", "weight\nerror", "steps\n/s", "cycles\n/step",
             "slot\nuse", "satura-\ntions", "differing\nbits")  # fmt: skip
    for name in names:
        justify: Literal["left", "right"] = "left" if name == "errors" else "right"
        table.add_column(name, justify=justify, no_wrap=True)
    for n, row in enumerate(rows):
        if n and row["rule"] != rows[n - 1]["rule"]:
            table.add_section()
        bits = row["differing_bits"]
        table.add_row(
            row["rule"],
            str(row["seed"]),
            f"2^{_log2(row['eta'])}",
            f"{row['loss']:.1e}",
            f"{row['weight_error']:.4f}",
            f"{row['steps_per_second']:.0f}",
            f"{row['cycles_per_step']:.1f}",
            f"{100 * row['slot_use']:.1f} %",
            str(row["saturations"]),
            "" if bits is None else str(bits),
        )
    return table


def _summary(outcome: Outcome) -> list[str]:
    """What came out, in words."""
    seeds, changes = len(outcome.gle), STEPS - LEARN_FROM
    lines = [
        f"{name}: {sum(run.weight_error <= BOUND for run in rule)} of {seeds} students within "
        f"{BOUND} of the teacher's weights after {changes} changes"
        for name, rule in (
            ("GLE", outcome.gle),
            (f"instantaneous errors, the best of {len(RATES)} rates", outcome.instantaneous),
        )
    ]
    if outcome.bits is None:
        compared = "the device is the golden model itself: no bits to compare"
    else:
        compared = (
            f"GLE, seed 0, against the golden model: {outcome.bits} differing bits in the outputs "
            f"of all {STEPS} steps and in all weights and states at the end"
        )
    return [*lines, compared]


def _log2(eta: float) -> int:
    return round(math.log2(eta))


@click.command("lagnet")
@click.option("--device", type=click.Choice(["rtl", MODEL]), default="rtl", show_default=True)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out"),
    show_default=True,
    help="Folder of lagnet.png and lagnet.json; made if it is missing.",
)
@click.option("--seeds", type=click.IntRange(1, 50), default=5, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of a table.")
def command(device: str, out: Path, seeds: int, as_json: bool) -> None:
    """A student network recovers its teacher's weights, learning inside the core.

    Every step is one sample and one change of the weights, from step 8000 on. Instantaneous
    back-propagation gets the same task, the same core and the best of three rates. One whole run
    is compared with the golden model. Exit status 1 if a claim is missed.
    """
    from antevolt.sim.tasks.lagnet_figure import draw

    make_folder(out)
    outcome = _run_all(device, seeds)
    rows = [_row(run, outcome.bits if n == 0 else None) for n, run in enumerate(outcome.gle)]
    rows += [_row(run, None) for run in outcome.instantaneous]
    result = {
        "device": device,
        "core": CORE.name,
        "steps": STEPS,
        "learn_from": LEARN_FROM,
        "rates_tried": list(RATES),
        "rows": rows,
        "tried": [_row(run, None) for run in outcome.tried],
        "failures": outcome.failures,
    }
    picture, record = out / "lagnet.png", out / "lagnet.json"
    draw(picture, device, outcome.gle, outcome.instantaneous)
    write_record(record, result, indent=2)
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        console = Console(highlight=False)
        Console(width=max(console.width, 100)).print(_table(rows))
        for line in _summary(outcome):
            console.print(line)
        for failure in outcome.failures:
            console.print(f"MISSED: {failure}")
        console.print(f"picture: {picture}\ntable:   {record}", soft_wrap=True)
    if outcome.failures:
        raise SystemExit(1)
