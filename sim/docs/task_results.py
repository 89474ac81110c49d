# SPDX-License-Identifier: Apache-2.0
"""Tables of the smaller tasks' runs, from their records in `docs/results`."""

from collections.abc import Iterable, Sequence
from statistics import fmean, median, stdev

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.docs.results import Record, records

__all__ = ["delayed_xor", "japanese_vowels", "lagline", "lagnet", "mackey_glass"]

ECHO_STATE = {1: 0.0051, 10: 0.015}
"""NRMSE of an echo-state network that are stated beside ours, by steps ahead."""


def lagline() -> str:
    """How many seeds end below which loss: of the last period while learning, and of one more."""
    names = ("rule", "steps", "seeds", "learning", "< 1e-4", "< 1e-5", "median", "largest",
             "saturated", "record")  # fmt: skip
    rows = []
    for name, record in _finished("lagline-*.json"):
        last = [run["epochs"][-1]["loss"] for run in record["runs"]]
        for learning, losses in (("on", last), ("off", _tests(record))):
            rows.append(
                (
                    f"`{record['settings']['rule']}`",
                    f"{_steps(record):,}",
                    len(losses),
                    learning,
                    _below(losses, 1e-4),
                    _below(losses, 1e-5),
                    f"{median(losses):.1e}",
                    f"{max(losses):.1e}",
                    _saturated(record),
                    _link(name),
                )
            )
    return _table(names, rows)


def lagnet() -> str:
    """How many seeds find the weights."""
    names = ("rule", "eta", "steps", "seeds", "within 0.01", "nearest", "median", "farthest",
             "saturated", "record")  # fmt: skip
    rows = []
    for name, record in _finished("lagnet-*.json"):
        distances, settings = _tests(record), record["settings"]
        rows.append(
            (
                f"`{settings['rule']}`",
                f"{settings['eta']:g}",
                f"{_steps(record):,}",
                len(distances),
                _below(distances, 0.01),
                f"{min(distances):.4f}",
                f"{median(distances):.4f}",
                f"{max(distances):.4f}",
                _saturated(record),
                _link(name),
            )
        )
    return _table(names, rows)


def delayed_xor() -> str:
    """Right signs with and without a loop."""
    names = ("loop", "holds", "learns", "errors go round", "largest tau_m", "weights", "steps",
             "seeds", "right signs", "lowest seed", "record")  # fmt: skip
    rows = []
    for name, record in _finished("delayed-xor-*.json"):
        settings, tests = record["settings"], _tests(record)
        loop = settings["loop"]
        rows.append(
            (
                _yes(loop),
                settings["hold"] if loop else "",
                _yes(settings["loop_learns"]) if loop else "",
                _yes(settings["loop_errors"]) if loop else "",
                f"{settings['slow']:g}" if settings["slow"] else "instantaneous",
                record["weights"],
                f"{_steps(record):,}",
                len(tests),
                _share(tests),
                f"{100 * min(tests):.2f} %",
                _link(name),
            )
        )
    return _table(names, rows)


def japanese_vowels() -> str:
    """Shares of the test utterances whose speaker was recognised."""
    names = ("rule", "weights", "streams", "epochs", "seeds", "test", "by seed", "saturated",
             "record")  # fmt: skip
    rows = []
    for name, record in _finished("japanese-vowels*.json"):
        settings, tests = record["settings"], _tests(record)
        rows.append(
            (
                f"`{settings['rule']}`",
                f"{record['weights']:,}",
                settings["streams"],
                settings["epochs"],
                len(tests),
                _share(tests),
                ", ".join(f"{100 * test:.1f}" for test in tests),
                _saturated(record),
                _link(name),
            )
        )
    return _table(names, rows)


def mackey_glass() -> str:
    """NRMSE beside that of the guess that nothing changes."""
    names = ("steps ahead", "weights", "samples", "seeds", "NRMSE", "largest seed",
             "nothing changes", "times better", "echo-state network", "record")  # fmt: skip
    rows = []
    for name, record in _finished("mackey-glass-*.json"):
        ahead, tests = record["settings"]["ahead"], _tests(record)
        still = record["lines"]["nothing changes"]
        rows.append(
            (
                ahead,
                record["weights"],
                f"{_steps(record):,}",
                len(tests),
                f"{fmean(tests):.4f}",
                f"{max(tests):.4f}",
                f"{still:.3f}",
                f"{still / fmean(tests):.1f}",
                f"{ECHO_STATE[ahead]:.4f}" if ahead in ECHO_STATE else "",
                _link(name),
            )
        )
    return _table(names, rows)


def _finished(pattern: str) -> list[tuple[str, Record]]:
    found = records(pattern)
    for name, record in found:
        if not record["finished"]:
            raise BadFile(f"{name} is not finished")
    return found


def _tests(record: Record) -> list[float]:
    return [run["test"] for run in record["runs"]]


def _steps(record: Record) -> int:
    """Of one run."""
    return sum(epoch["counters"]["steps"] for epoch in record["runs"][0]["epochs"])


def _saturated(record: Record) -> str:
    """Words, in all runs."""
    counted = (e["counters"]["saturated"] for run in record["runs"] for e in run["epochs"])
    return f"{sum(sum(kinds.values()) for kinds in counted):,}"


def _yes(said: bool) -> str:
    return "yes" if said else "no"


def _below(values: Sequence[float], bound: float) -> str:
    return f"{sum(value < bound for value in values)} of {len(values)}"


def _share(tests: Sequence[float]) -> str:
    spread = f" ± {100 * stdev(tests):.2f}" if len(tests) > 1 else ""
    return f"{100 * fmean(tests):.2f}{spread} %"


def _link(name: str) -> str:
    return f"[{name}](results/{name})"


def _table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines)
