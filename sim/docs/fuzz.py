# SPDX-License-Identifier: Apache-2.0
"""The last long `antevolt fuzz`, from its record."""

from antevolt.sim.docs.mutants import record

__all__ = ["fuzz"]

WHAT = {
    "decoder": "decoder of the link's frames",
    "session": "session with a board",
    "gateware": "parser of a simulated board",
    "network": "loader of networks and weights",
    "checkpoint": "loader of checkpoints",
    "data": "loader of recorded data",
    "run": "reader of a run's folder",
    "arguments": "command line",
}


def fuzz() -> str:
    """A line for each target."""
    lines = [
        "| input of the | inputs | taken | refused | failures | slowest | seed, date, commit |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in record("fuzz.json").items():
        refused = sum(found["refused"].values())
        when = f"{found['seed']}, {found['date'][:10]}, {found['commit'][:10]}"
        lines.append(
            f"| {WHAT[name]} | {found['inputs']:,} | {found['taken']:,} | {refused:,} "
            f"| {found['failures']} | {1000 * found['slowest']:.0f} ms | {when} |"
        )
    return "\n".join(lines)
