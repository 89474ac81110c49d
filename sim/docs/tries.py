# SPDX-License-Identifier: Apache-2.0
"""Tables of what was tried about the rounding at the output, from a record in `docs/results`."""

from antevolt.sim.docs.results import records

__all__ = ["stopped", "tries"]

RECORD = "tries-rounding.json"


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
    """Runs of many epochs that were begun, and left."""
    ((_, record),) = records(RECORD)
    lines = [
        "| bits | streams | rate | seed | epochs | valid, at epoch | test | fresh | commit |",
        "|---" * 9 + "|",
    ]
    for run in record["stopped"]["runs"]:
        looks = ", ".join(f"{100 * value:.1f} % ({at})" for at, value in run["looks"].items())
        shares = " | ".join(
            "" if run[name] is None else f"{100 * run[name]:.1f} %" for name in ("test", "fresh")
        )
        lines.append(
            f"| {run['word']} | {run['streams']} | {run['eta']} | {run['seed']} "
            f"| {run['epochs']} of {run['asked']} | {looks} | {shares} | {run['commit'][:7]} |"
        )
    return "\n".join(lines)
