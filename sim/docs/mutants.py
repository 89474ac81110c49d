# SPDX-License-Identifier: Apache-2.0
"""Tables of the last `antevolt mutate` runs, and of `antevolt coverage`, from their records."""

import json
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.mutation.campaign import WANTED

__all__ = [
    "DOCS",
    "EXPLAINED",
    "WANTED_OF_THE_REST",
    "coverage",
    "model",
    "netlist",
    "record",
    "unexplained",
    "unnoticeable",
]

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXPLAINED = "mutants-explained.json"
BY = {
    "output": "an output word",
    "memory": "a word of a memory or register",
    "cycles": "the number of cycles",
    "deadline": "the deadline: the core hung",
    "crash": "the end of the simulator",
    "refused": "an error",
    "survived": "**nothing**",
}


WANTED_OF_THE_REST = 0.95
"""As `WANTED`, of those that can be noticed at all in this core."""


def record(name: str) -> dict[str, Any]:
    """A record in `docs/`; raises BadFile for one that is not there."""
    try:
        found: dict[str, Any] = json.loads((DOCS / name).read_text())
    except (OSError, ValueError) as error:
        raise BadFile(f"docs/{name} cannot be read: {error}") from error
    return found


def unexplained(kind: str) -> list[str]:
    """Survivors of which nobody has said why they survive."""
    reasons = record(EXPLAINED)
    return [s for s in record(f"mutants-{kind}.json")["survivors"] if s not in reasons]


def unnoticeable(kind: str) -> list[str]:
    """Survivors that change nothing, or nothing that this core can get to."""
    reasons = record(EXPLAINED)
    words = ("equivalent:", "unreachable:")
    survivors = record(f"mutants-{kind}.json")["survivors"]
    return [s for s in survivors if reasons.get(s, "").startswith(words)]


def netlist() -> str:
    """The campaign on the netlist."""
    return _table("netlist")


def model() -> str:
    """The campaign on the model."""
    return _table("model")


def coverage() -> str:
    """Reached points by file of the gateware, and those that nothing reached."""
    found, reasons = record("coverage.json"), record(EXPLAINED)
    when = f"{found['date'][:10]}, commit {found['commit'][:10]}"
    lines = [
        f"{when}: **{found['reached']:,} of {found['points']:,} points reached**.",
        "",
        "| file | blocks | branches |",
        "|---|---|---|",
    ]
    for file, kinds in found["files"].items():
        cells = (" of ".join(map(str, kinds.get(kind, ()))) for kind in ("line", "branch"))
        lines.append(f"| {file} | {' | '.join(cells)} |")
    lines += ["", "| not reached | points | why |", "|---|---|---|"]
    for line, count in found["missed"].items():
        lines.append(f"| {line} | {count} | {_cell(reasons.get(line, 'not explained yet'))} |")
    return "\n".join(lines)


def _table(kind: str) -> str:
    found, reasons = record(f"mutants-{kind}.json"), record(EXPLAINED)
    share = found["killed"] / found["mutants"]
    seed = f", seed {found['seed']}" if "seed" in found else ""
    when = f"{found['date'][:10]}, commit {found['commit'][:10]}{seed}"
    lines = [
        f"{when}: **{found['killed']} of {found['mutants']} noticed ({share:.1%})**.",
        "",
        "| noticed by | mutants |",
        "|---|---|",
    ]
    cannot = unnoticeable(kind)
    if cannot:
        rest = found["mutants"] - len(cannot)
        lines[0] += (
            f" Of the others, {len(cannot)} can be noticed by nobody, or not in this core: without "
            f"them it is {found['killed']} of {rest} ({found['killed'] / rest:.1%})."
        )
        if found["killed"] < WANTED_OF_THE_REST * rest:
            lines[0] += f" **Of these, {WANTED_OF_THE_REST:.0%} are wanted: missed, too.**"
    if share < WANTED:
        lines[0] += f" **{WANTED:.0%} of all are wanted: missed by {WANTED - share:.1%}.**"
    counts = sorted(found["by"].items(), key=lambda item: -item[1])
    lines += [f"| {BY[name]} | {count} |" for name, count in counts]
    lines += ["", "| survivor | why |", "|---|---|"]
    for survivor in found["survivors"]:
        lines.append(f"| {_cell(survivor)} | {_cell(reasons.get(survivor, 'not explained yet'))} |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("$", "\\$")
