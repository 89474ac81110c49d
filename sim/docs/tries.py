# SPDX-License-Identifier: Apache-2.0
"""Tables of what was tried before settings were chosen, from records in `docs/results`."""

from antevolt.sim.docs.results import Record, records

__all__ = ["gle", "stopped", "trace", "tries"]

RECORD, GLE, TRACE = "tries-rounding.json", "tries-gle.json", "tries-trace.json"


def tries() -> str:
    """A line for each run, by what was looked at after its last epoch."""
    ((_, record),) = records(RECORD)
    lines = [
        "| rounding of y - softmax | bits | streams | momentum | rate | epochs | seed | valid |",
        "|---" * 8 + "|",
    ]
    lines += [
        f"| {row['rounding']} | {row['word']} | {row['streams']} | {row['momentum']} "
        f"| {row['eta']} | {row['epochs']} | {row['seed']} | {100 * row['valid']:.1f} % |"
        for row in record["rows"]
    ]
    return "\n".join(lines)


def stopped() -> str:
    """Runs of many epochs with short words, some of which were left."""
    ((_, record),) = records(RECORD)
    return _long_runs(record["stopped"]["runs"])


def trace() -> str:
    """Runs of many epochs with the recipe's network."""
    ((_, record),) = records(TRACE)
    return _long_runs(record["runs"])


def _long_runs(runs: list[Record]) -> str:
    read = [
        name
        for name in ("train", "test", "fresh")
        if any(run.get(name) is not None for run in runs)
    ]
    own = [n for n in ("beta", "r_max", "shift") if len({run.get(n) for run in runs} - {None}) > 1]
    titles = (
        "bits", "streams", "rate", *own, "seed", "epochs", "valid, at epoch", *read, "commit"
    )  # fmt: skip
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    for run in runs:
        shares = ("" if run[name] is None else f"{100 * run[name]:.1f} %" for name in read)
        cells = (
            *(run[name] for name in ("word", "streams", "eta")),
            *(f"{run[name]:g}" for name in own),
            run["seed"],
            f"{run['epochs']} of {run['asked']}", _looks(run), *shares, run["commit"][:7],
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def gle() -> str:
    """Runs of rule gle."""
    ((_, record),) = records(GLE)
    lines = [
        (
            "| rounding of y - softmax | hidden | streams | rate | seed | epochs "
            "| valid, at epoch | test | largest weight |"
        ),
        "|---" * 9 + "|",
    ]
    for run in record["rows"]:
        test = "" if run["test"] is None else f"{100 * run['test']:.1f} %"
        lines.append(
            f"| {run['core']} | {len(run['hidden'])} x {run['hidden'][0]} | {run['streams']} "
            f"| {run['eta']} | {run['seed']} | {run['finished']} of {run['epochs']} "
            f"| {_looks(run)} | {test} | {run['largest_weight']:.2f} |"
        )
    return "\n".join(lines)


def _looks(run: Record) -> str:
    return ", ".join(f"{100 * value:.1f} % ({at})" for at, value in run["looks"].items())
