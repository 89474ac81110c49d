# SPDX-License-Identifier: Apache-2.0
"""Sections of the manual about comparisons that take long, from their records."""

from typing import Any

from antevolt.sim.docs.mutants import record

__all__ = ["campaign", "netlists"]

FAMILIES = {"ecp5": "Lattice ECP5", "ice40": "Lattice iCE40"}


def _when(found: dict[str, Any]) -> str:
    return f"{found['date'][:10]}, commit {found['commit'][:10]}"


def campaign() -> str:
    """The last long campaign."""
    found = record("campaign.json")
    cases = found["cases"]
    equal = sum(not case["differing_bits"] for case in cases)
    cores = dict.fromkeys(case["name"].split()[0] for case in cases)
    seeds = [case["seed"] for case in cases]
    missing = found["planned"] - len(cases)
    return (
        f"{_when(found)}, seeds {min(seeds)} to {max(seeds)}: **{equal} of {len(cases)} cases "
        f"equal, {found['steps']:,} steps, {found['words_compared']:,} words compared, "
        f"{found['differing_bits']} differing bits**"
        + (f"; {missing} cases were not run" if missing else "")
        + f". Cores: {', '.join(cores)}."
    )


def netlists() -> str:
    """Netlists after synthesis against the model."""
    lines = [
        "| netlist for | core | networks | steps | words compared | differing bits | when |",
        "|---|---|---|---|---|---|---|",
    ]
    for family, name in FAMILIES.items():
        found = record(f"netlist-{family}.json")
        cases = found["cases"]
        lines.append(
            f"| {name} | {cases[0]['name'].split()[0]} | {len(cases)} | {found['steps']:,} "
            f"| {found['words_compared']:,} | {found['differing_bits']} | {_when(found)} |"
        )
    return "\n".join(lines)
