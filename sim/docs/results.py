# SPDX-License-Identifier: Apache-2.0
"""Tables of `antevolt task` runs, from their records in `docs/results`."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from antevolt.hdl.spec.errors import BadFile

__all__ = ["FOLDER", "Record", "compared", "cosines", "mnist1d", "records", "saturations"]

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "results"
TAKEN = "mnist1d-*.json"
OTHER = ("mnist1d-ablations.json",)
"""Records of another kind that have such names."""
COMPARED = "compare-*.json"
COSINES = "cosine-*.json"

Record = dict[str, Any]


def records(pattern: str) -> list[tuple[str, Record]]:
    """Names and contents; raises BadFile where there is none, or one that is no record."""
    found = []
    for path in sorted(FOLDER.glob(pattern)):
        try:
            found.append((path.name, json.loads(path.read_text())))
        except (OSError, ValueError) as error:
            raise BadFile(f"{path} is no record: {error}") from error
    if not found:
        raise BadFile(f"there is no {pattern} in {FOLDER}")
    return found


def _taken() -> list[tuple[str, Record]]:
    return [(name, record) for name, record in records(TAKEN) if name not in OTHER]


def mnist1d() -> str:
    """Accuracies, one line per record of finished runs."""
    lines = [
        (
            "| rule, optimizer | kappa | beta | r_max | hidden | weights | bits | streams | rate "
            "| epochs | seeds | valid | test | by seed | fresh 10,000 | minutes | commit | record |"
        ),
        "|---" * 18 + "|",
    ]
    for name, record in _taken():
        settings, runs = record["settings"], record["runs"]
        if not record["finished"]:
            raise BadFile(f"{name} is not finished")
        tests = [100 * run["test"] for run in runs]
        valid = [100 * run["epochs"][-1]["valid"] for run in runs]
        fresh = [100 * run["fresh"] for run in runs if run.get("fresh") is not None]
        lines.append(
            f"| `{settings['rule']}`, `{settings['optimizer']}`{_on(settings)} "
            f"| {settings.get('kappa') or ''} "
            f"| {settings['beta']:g} | {settings.get('r_max', 1):g} "
            f"| {_shape(settings['hidden'])} | {record['weights']:,} "
            f"| {settings['word']}{', dithered' if settings.get('dither') else ''} "
            f"| {settings['streams']} | {settings['eta']:g} | {settings['epochs']} "
            f"| {_list(record['seeds'])} | {fmean(valid):.2f} % | {_spread(tests)} "
            f"| {_list(f'{t:.1f}' for t in tests)} "
            f"| {_spread(fresh) if len(fresh) == len(runs) else ''} "
            f"| {fmean(run['seconds'] for run in runs) / 60:.0f} "
            f"| {_list(dict.fromkeys(run['commit'][:7] for run in runs))} "
            f"| [{name}](results/{name}) |"
        )
    return "\n".join(lines)


def _on(settings: Record) -> str:
    """The board whose core it was."""
    return f", core of `{settings['board']}`" if settings.get("board") else ""


def _shape(hidden: Sequence[int]) -> str:
    """Sizes of populations, in short where all are equal."""
    if len(set(hidden)) == 1:
        return f"{len(hidden)} x {hidden[0]}"
    return _list(hidden)


def _spread(values: Sequence[float]) -> str:
    """Mean and standard deviation, in per cent."""
    spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{fmean(values):.2f}{spread} %"


def saturations() -> str:
    """Saturated words of the last epoch, by kind, first seed of each record."""
    found = [(name, record["runs"][0]["epochs"][-1]) for name, record in _taken()]
    kinds = list(found[0][1]["counters"]["saturated"])
    shown = [k for k in kinds if any(e["counters"]["saturated"].get(k) for _, e in found)]
    lines = [
        f"| record | {' | '.join(f'`{k}`' for k in shown)} | largest weight |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for name, epoch in found:
        counts = (f"{epoch['counters']['saturated'][kind]:,}" for kind in shown)
        lines.append(f"| {name} | {' | '.join(counts)} | {epoch['largest_weight']:.2f} |")
    return "\n".join(lines)


def cosines() -> str:
    """Of the core's gradients with the exact ones, by epoch and projection, first seeds."""
    found = [(name, record["runs"][0]) for name, record in records(COSINES)]
    count = len(next(e["cosine"] for e in found[0][1]["epochs"] if "cosine" in e))
    lines = [
        f"| epoch | valid | {' | '.join(f'{k} -> {k + 1}' for k in range(count))} | record |",
        "|---" * (count + 3) + "|",
    ]
    for name, run in found:
        for epoch in run["epochs"]:
            if "cosine" in epoch:
                cells = " | ".join(f"{value:.3f}" for value in epoch["cosine"])
                lines.append(
                    f"| {epoch['epoch']} | {100 * epoch['valid']:.1f} % | {cells} "
                    f"| [{name}](results/{name}) |"
                )
    return "\n".join(lines)


def compared() -> str:
    """Comparisons of this network on the netlist with the model."""
    lines = [
        (
            "| core | weights | steps | words compared | differing bits | cycles "
            "| by the model | minutes | commit |"
        ),
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for _, record in records(COMPARED):
        numbers = ("weights", "steps", "words_compared", "differing_bits", "cycles")
        cells = " | ".join(f"{record[n]:,}" for n in (*numbers, "cycles_of_the_model"))
        # Older records do not say how long they took.
        minutes = f"{record['seconds'] / 60:.0f}" if "seconds" in record else ""
        lines.append(f"| {record['core']} | {cells} | {minutes} | {record['commit'][:7]} |")
    return "\n".join(lines)


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
