# SPDX-License-Identifier: Apache-2.0
"""The core's arithmetic against floating point, in pairs of runs that differ in nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from scipy.special import stdtrit

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.docs.results import Record, records
from antevolt.sim.tasks.mnist1d import Settings
from antevolt.sim.tasks.setting import settled

__all__ = ["Difference", "difference", "figures", "found", "pairs", "runs", "settings"]

RECORDS = "pairs-mnist1d-*.json"
SETS = {"valid": "2000, looked at on the way", "test": "1000 of the package",
        "fresh": "10,000 fresh"}  # fmt: skip
SHARE = 0.95


@dataclass(frozen=True)
class Difference:
    """Mean of paired differences, and half the length of its interval."""

    mean: float
    half: float


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Of `one` minus `other`, by Student's t: at least two pairs."""
    gaps = [a - b for a, b in zip(one, other, strict=True)]
    t = float(stdtrit(len(gaps) - 1, 0.5 + SHARE / 2))
    return Difference(fmean(gaps), t * stdev(gaps) / sqrt(len(gaps)))


def found() -> tuple[Record, Record]:
    """The records of the core and of the float model; raises BadFile where they are no pair."""
    compared, taken = [], {}
    for name, record in records(RECORDS):
        if not record["finished"]:
            raise BadFile(f"{name} is not finished")
        own = settings(record)
        taken["float" if own.pop("device") == "float" else "core"] = record
        compared.append((own, record["seeds"]))
    if set(taken) != {"core", "float"} or len(compared) != 2 or compared[0] != compared[1]:
        raise BadFile(f"{RECORDS} are not two records that differ in the device alone")
    return taken["core"], taken["float"]


def settings(record: Record) -> dict[str, Any]:
    """Of its runs, those included that are younger than it."""
    return settled(Settings, record["settings"])


def figures(record: Record, name: str) -> list[float]:
    """In per cent, by seed."""
    return [
        100 * (run["epochs"][-1][name] if name == "valid" else run[name]) for run in record["runs"]
    ]


def pairs() -> str:
    """Means, and mean differences with their intervals."""
    core, exact = found()
    lines = [
        "| curves | pairs | epochs | core | float64 | core - float64 | 95 % interval |",
        "|---" * 7 + "|",
    ]
    for name, what in SETS.items():
        one, other = figures(core, name), figures(exact, name)
        gap = difference(one, other)
        lines.append(
            f"| {what} | {len(one)} | {core['settings']['epochs']} | {fmean(one):.2f} % "
            f"| {fmean(other):.2f} % | {gap.mean:+.2f} | {gap.mean - gap.half:+.2f} .. "
            f"{gap.mean + gap.half:+.2f} |"
        )
    return "\n".join(lines)


def runs() -> str:
    """Both runs of each pair on the fresh curves, and what saturated."""
    core, exact = found()
    lines = ["| seed | core | float64 | core - float64 | saturated |", "|---" * 5 + "|"]
    values = zip(core["runs"], figures(core, "fresh"), figures(exact, "fresh"), strict=True)
    for run, one, other in values:
        counted = sum(sum(e["counters"]["saturated"].values()) for e in run["epochs"])
        lines.append(
            f"| {run['seed']} | {one:.2f} % | {other:.2f} % | {one - other:+.2f} | {counted:,} |"
        )
    return "\n".join(lines)
