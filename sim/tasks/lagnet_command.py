# SPDX-License-Identifier: Apache-2.0
"""`antevolt demo lagnet`: learning inside the RTL, driven from host Python, against the model."""

import json
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

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

BOUND = 0.02  # largest distance from the teacher's weights that counts as recovered
WORKERS = 2


@dataclass(frozen=True)
class Outcome:
    """All runs: GLE and the best instantaneous one by seed, and the comparison with the model."""

    gle: tuple[Run, ...]
    tried: tuple[Run, ...]
    model: Run
    bits: int

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
            f"instantaneous errors recovered the weights of seed {run.seed}"
            for run in self.instantaneous
            if run.weight_error <= BOUND
        ]
        missed += [
            f"{run.rule}, seed {run.seed}: {run.counters['busy']} busy cycles, compiler "
            f"{run.cycles_compiled}"
            for run in (*self.gle, *self.tried)
            if run.counters["busy"] and run.counters["busy"] + STEPS != run.cycles_compiled
        ]
        if self.bits:
            missed.append(f"{self.bits} bits differ from the golden model")
        return missed


def _run_all(device: str, seeds: int) -> Outcome:
    jobs: list[tuple[str, int, float, bool]] = []
    jobs += [(device, seed, ETA, True) for seed in range(seeds)]
    jobs += [("model", 0, ETA, True)]
    jobs += [(device, seed, eta, False) for eta in RATES for seed in range(seeds)]
    stop = threading.Event()
    signals(STEPS)  # once, before the runs share it
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(f"{len(jobs)} runs, steps", total=len(jobs) * STEPS)
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
    gle, model, tried = runs[:seeds], runs[seeds], runs[seeds + 1 :]
    return Outcome(tuple(gle), tuple(tried), model, differing_bits(gle[0], model))


def _row(run: Run, bits: int | None) -> dict[str, Any]:
    steps, busy = run.counters["steps"], run.counters["busy"]
    return {
        "rule": run.rule,
        "seed": run.seed,
        "eta": run.eta,
        "loss": run.loss,
        "weight_error": run.weight_error,
        "steps_per_second": steps / run.seconds,
        "cycles_per_step": (busy + steps) / steps if busy else None,
        "slot_use": run.slot_use if busy else None,
        "saturations": run.saturations,
        "differing_bits": bits,
    }


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="LagNet: weights of the teacher (-0.5, 1), plain SGD, one stream")
    names = ("rule", "seed", "eta", "loss", "weight error", "steps/s", "cycles/step", "slots",
             "saturations", "differing bits")  # fmt: skip
    for name in names:
        table.add_column(name, justify="left" if name == "rule" else "right")
    for row in rows:
        cycles, slots, bits = row["cycles_per_step"], row["slot_use"], row["differing_bits"]
        table.add_row(
            row["rule"],
            str(row["seed"]),
            f"2^{_log2(row['eta'])}",
            f"{row['loss']:.1e}",
            f"{row['weight_error']:.4f}",
            f"{row['steps_per_second']:.0f}",
            "-" if cycles is None else f"{cycles:.0f}",
            "-" if slots is None else f"{100 * slots:.1f} %",
            str(row["saturations"]),
            "" if bits is None else str(bits),
        )
    return table


def _log2(eta: float) -> int:
    return round(math.log2(eta))


@click.command("lagnet")
@click.option("--device", type=click.Choice(["rtl", "model"]), default="rtl", show_default=True)
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

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"cannot make the folder {out}: {error}") from error
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
    try:
        draw(picture, outcome.gle, outcome.instantaneous)
        record.write_text(json.dumps(result, indent=2) + "\n")
    except OSError as error:
        raise click.ClickException(f"cannot write to {out}: {error}") from error
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        console = Console()
        Console(width=max(console.width, 110)).print(_table(rows))
        console.print(
            f"seed 0 against the golden model over {STEPS} steps, outputs, weights and states: "
            f"{outcome.bits} differing bits"
        )
        for failure in outcome.failures:
            console.print(f"MISSED: {failure}")
        console.print(f"picture: {picture}\ntable:   {record}", soft_wrap=True)
    if outcome.failures:
        raise SystemExit(1)
