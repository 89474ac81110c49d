# SPDX-License-Identifier: Apache-2.0
"""The table of roundings at the output that were tried, from their record in `docs/results`."""

from antevolt.sim.docs.results import records

__all__ = ["tries"]

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
