# SPDX-License-Identifier: Apache-2.0
"""`antevolt task mnist1d-ablations`: the recipe of MNIST-1D, and what becomes of it without a part.

Each variant is the recipe with some settings changed, for as many epochs, by the same seed. Runs
are those of `antevolt task mnist1d`, in a folder each, and can be resumed.
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.files import make_folder, write_record
from antevolt.host.version import version
from antevolt.sim.tasks.mnist1d import MNIST1D, Settings
from antevolt.sim.tasks.run import commit, learn
from antevolt.sim.tasks.task import Record, per_cent

__all__ = ["VARIANTS", "Variant", "command", "row"]

PUBLISHED = {
    "rule": "gle",
    "schedule": "parallel",
    "optimizer": "adam",
    "eta": 1e-3,
    "momentum2": 1 - 2.0**-10,
    "every_step": True,
    "streams": 100,
    "length": 360,
    "slow": 6.0,
    "tau_z": 0.0,
    "softmax_gain": 1.0,
    "beta": 1.0,
    "r_max": 1.0,
    "reset": False,
    "amplitude": 0.0,
    "ramp": 0.0,
}
"""The settings that are published with GLE (arXiv 2403.16933), as far as the task has them: there,
rates fall when the test set says so, and first weights are smaller."""


@dataclass(frozen=True)
class Variant:
    """A name for people, and what differs from the recipe's settings."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.name)

    def settings(self, epochs: int) -> Settings:
        """Of a run; looked at four times, the last one after its last epoch."""
        given = {"epochs": epochs, "every": max(1, epochs // 4), **self.changes}
        return Settings.of(**given)


VARIANTS = (
    Variant("recipe"),
    Variant("rule gle", {"rule": "gle"}),
    Variant("rule gle, kappa 1.1", {"rule": "gle", "kappa": 1.1}),
    Variant("rule instantaneous", {"rule": "instantaneous"}),
    Variant("instantaneous logits", {"tau_z": 0.0}),
    Variant(  # a core has leaky logits in the sequential schedule alone
        "parallel, instantaneous logits", {"schedule": "parallel", "tau_z": 0.0}
    ),
    Variant("no reset", {"reset": False}),
    Variant("g = 2, beta = 1", {"g": 2.0, "beta": 1.0}),
    Variant("r_max = 1, beta = 8", {"r_max": 1.0, "beta": 8.0}),
    Variant("optimizer adam", {"optimizer": "adam"}),
    Variant("optimizer sgd", {"optimizer": "sgd"}),
    *(Variant(f"words of {word} bits", {"word": word}) for word in (16, 14, 12, 10, 8)),
    *(Variant(f"{streams} streams", {"streams": streams}) for streams in (8, 40)),
    Variant(
        "1 stream, slower momentum, rate / 10",
        {"streams": 1, "momentum": 1 - 2.0**-5, "eta": 1e-4},
    ),
    Variant("as published with GLE", PUBLISHED),
)
"""The recipe first."""


def row(variant: Variant, settings: Settings, run: Record) -> Record:
    """What is kept of a run; figures are None until it is finished."""
    epochs, whole = run["epochs"], run["test"] is not None
    return {
        "name": variant.name,
        "changes": json.loads(json.dumps(dict(variant.changes))),
        "core": MNIST1D.machine(settings).name,
        "steps": settings.steps * settings.epochs,
        "epochs": len(epochs),
        "finished": whole,
        "looks": {str(e["epoch"]): e["valid"] for e in epochs if e["valid"] is not None},
        "train": epochs[-1]["train"] if whole else None,
        "valid": epochs[-1]["valid"] if whole else None,
        "test": run["test"],
        "saturated": sum(sum(e["counters"]["saturated"].values()) for e in epochs),
        "largest_weight": max((e["largest_weight"] for e in epochs), default=0.0),
        "seconds": run["seconds"],
        "commit": run["commit"],
    }


def _chosen(names: Sequence[str]) -> list[Variant]:
    known = {variant.name: variant for variant in VARIANTS}
    if unknown := [name for name in names if name not in known]:
        raise BadInput(f"there is no variant {unknown[0]!r}; there are {', '.join(known)}")
    return [variant for variant in VARIANTS if not names or variant.name in names]


def _table(rows: Sequence[Record]) -> Table:
    table = Table(title="MNIST-1D: the recipe and its variants")
    for name in ("variant", "epochs", "valid", "test", "seconds"):
        table.add_column(name, justify="left" if name == "variant" else "right")
    for one in rows:
        figures = ["" if one[n] is None else per_cent(one[n]) for n in ("valid", "test")]
        table.add_row(one["name"], str(one["epochs"]), *figures, f"{one['seconds']:.0f}")
    return table


@click.command("mnist1d-ablations")
@click.option("--epochs", type=click.IntRange(1), default=20, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--only", multiple=True, metavar="VARIANT", help="One of the variants. Repeatable.")
@click.option("--names", is_flag=True, help="Print the variants' names and settings, and end.")
@click.option(
    "--deadline",
    type=click.FloatRange(0),
    help="Seconds after which no epoch is begun; the same command again goes on.",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("out/mnist1d-ablations"),
    show_default=True,
    help="Folder of mnist1d-ablations.json, its picture and the runs; made if missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of a table.")
def command(
    epochs: int,
    seed: int,
    only: tuple[str, ...],
    names: bool,
    deadline: float | None,
    out: Path,
    as_json: bool,
) -> None:
    """Learn MNIST-1D by the recipe, and without each of its parts, one run each.

    Variants are to be judged by `valid`; the test set is read once, after the last epoch of each.
    The same command again goes on where it was left, to the same bits.
    """
    # Drawing needs matplotlib, which takes longer to import than everything else together.
    from antevolt.sim.tasks.mnist1d_ablations_figure import draw

    chosen = _chosen(only)
    if names:
        for variant in chosen:
            changed = ", ".join(f"{name} = {value}" for name, value in variant.changes.items())
            click.echo(f"{variant.name}: {changed or 'as it is'}")
        return
    until = math.inf if deadline is None else time.monotonic() + deadline
    rows: list[Record] = []
    record = out / "mnist1d-ablations.json"
    result: Record = {}
    for variant in chosen:
        settings, folder = variant.settings(epochs), make_folder(out / variant.folder)
        click.echo(f"{variant.name} ...", err=True)
        rows.append(row(variant, settings, learn(MNIST1D, settings, seed, folder, until=until)))
        result = {
            "task": "mnist1d-ablations",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "version": version(),
            "commit": commit(),
            "finished": len(rows) == len(chosen) and all(one["finished"] for one in rows),
            "seed": seed,
            "epochs": epochs,
            "rows": rows,
        }
        write_record(record, result)
    draw(record.with_suffix(".png"), result)
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    console = Console(highlight=False)
    Console(width=max(console.width, 80)).print(_table(rows))
    if not result["finished"]:
        console.print("not finished; the same command goes on")
    console.print(f"record: {record}", soft_wrap=True)
