# SPDX-License-Identifier: Apache-2.0
"""Tables of what was tried before settings were chosen, from records in `docs/results`."""

from antevolt.sim.docs.results import Record, records

__all__ = ["gle", "stopped", "tries"]

RECORD, GLE = "tries-rounding.json", "tries-gle.json"


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
    """Runs of many epochs, some of which were left."""
    ((_, record),) = records(RECORD)
    lines = [
        "| bits | streams | rate | seed | epochs | valid, at epoch | test | fresh | commit |",
        "|---" * 9 + "|",
    ]
    for run in record["stopped"]["runs"]:
        looks = _looks(run)
        shares = " | ".join(
            "" if run[name] is None else f"{100 * run[name]:.1f} %" for name in ("test", "fresh")
        )
        lines.append(
            f"| {run['word']} | {run['streams']} | {run['eta']} | {run['seed']} "
            f"| {run['epochs']} of {run['asked']} | {looks} | {shares} | {run['commit'][:7]} |"
        )
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
