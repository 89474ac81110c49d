# SPDX-License-Identifier: Apache-2.0
"""Sections of the manual about comparisons that take long, from their records."""

from typing import Any

from antevolt.sim.docs.mutants import DOCS, record

__all__ = ["campaign", "netlists"]

FAMILIES = {"ecp5": "Lattice ECP5", "ice40": "Lattice iCE40"}


def _when(found: dict[str, Any]) -> str:
    return f"{found['date'][:10]}, commit {found['commit'][:10]}"


CAMPAIGNS = ("campaign.json", "campaign-random.json")


def campaign() -> str:
    """The last long campaigns: of all shapes of cores, and of random networks."""
    lines = [
        "| cases | equal | cores | steps | words compared | differing bits | seeds | when |",
        "|---|---|---|---|---|---|---|---|",
    ]
    total = 0
    for name in CAMPAIGNS:
        found = record(name)
        cases, total = found["cases"], total + found["steps"]
        equal = sum(not case["differing_bits"] for case in cases)
        cores = dict.fromkeys(case["name"].split()[0] for case in cases)
        seeds = [case["seed"] for case in cases]
        lines.append(
            f"| {len(cases)} | {equal} | {', '.join(cores)} | {found['steps']:,} "
            f"| {found['words_compared']:,} | {found['differing_bits']} "
            f"| {min(seeds)} to {max(seeds)} | {_when(found)} |"
        )
    return "\n".join([*lines, "", f"**{total:,} steps in all, learning on.**"])


def netlists() -> str:
    """Netlists after synthesis against the model."""
    lines = [
        "| netlist for | core | networks | steps | words compared | differing bits | when |",
        "|---|---|---|---|---|---|---|",
    ]
    for family, name in FAMILIES.items():
        file = f"netlist-{family}.json"
        if not (DOCS / file).exists():
            lines.append(f"| {name} | not compared yet |  |  |  |  |  |")
            continue
        found = record(file)
        cases = found["cases"]
        lines.append(
            f"| {name} | {cases[0]['name'].split()[0]} | {len(cases)} | {found['steps']:,} "
            f"| {found['words_compared']:,} | {found['differing_bits']} | {_when(found)} |"
        )
    return "\n".join(lines)
