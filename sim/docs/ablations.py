# SPDX-License-Identifier: Apache-2.0
"""The table of `antevolt task mnist1d-ablations`, from its record in `docs/results`."""

from antevolt.sim.docs.results import records

__all__ = ["ablations"]

RECORD = "mnist1d-ablations.json"
MORE = ("largest weight", "saturated", "minutes", "commit")


def ablations() -> str:
    """A line for each variant that is finished; the others are not mentioned."""
    ((_, record),) = records(RECORD)
    lines = [
        f"| variant (seed {record['seed']}) | epochs | steps | valid | test | {' | '.join(MORE)} |",
        "|---" * (5 + len(MORE)) + "|",
    ]
    for row in record["rows"]:
        if row["finished"]:
            shares = " | ".join(f"{100 * row[name]:.1f} %" for name in ("valid", "test"))
            lines.append(
                f"| {row['name']} | {row['epochs']} | {row['steps']:,} | {shares} "
                f"| {row['largest_weight']:.2f} | {row['saturated']:,} "
                f"| {row['seconds'] / 60:.1f} | {row['commit'][:7]} |"
            )
    return "\n".join(lines)
