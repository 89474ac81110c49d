# SPDX-License-Identifier: Apache-2.0
"""A build's report as a page to read."""

from typing import Any

from antevolt.boards.build import Build

__all__ = ["baked", "page"]

LIKELY = 0.01
"""Share of a part below which a kind of cell is not worth a line."""


def baked(told: dict[str, Any]) -> str:
    """One line on a network that is in a design."""
    return (
        f"Network {told['network'][:12]} is in it (program {told['program']}, contents "
        f"{told['contents']}), taught by {told['teacher']}: it learns from power-up on."
    )


def _stopped(result: Build) -> str:
    if not result.stopped:
        return ""
    return f" Stopped at their deadline: seeds {', '.join(map(str, result.stopped))}."


def page(result: Build, untimed: str = "") -> str:
    """Markdown: the clock over all seeds and what it leaves out, what limits it, the cells, and
    what it was made with."""
    lines = [
        f"# {result.core} on {result.board}",
        "",
        f"Build {result.id}, {result.seconds:g} s. All figures are the tools' estimates.",
        "This bitstream has not run on a board.",
        *(["", baked(result.baked)] if result.baked else []),
        "",
        "| clock | reaches | wanted | slack |",
        "|---|---|---|---|",
    ]
    for clock in result.clocks:
        lines.append(
            f"| {clock.name} | {clock.megahertz:.1f} MHz | {clock.target:.1f} MHz "
            f"| {clock.slack:+.2f} ns |"
        )
    each = ", ".join(
        f"{seed}: {mhz:.1f}" for seed, mhz in zip(result.seeds, result.megahertz, strict=True)
    )
    low, high = min(result.megahertz), max(result.megahertz)
    lines += [
        "",
        f"Core's clock by seed, MHz: {each}; median {result.median:.1f}, range {low:.1f} to",
        f"{high:.1f}; the table is of seed {result.best}.{_stopped(result)}",
        *([f"In these clocks: {untimed}."] if untimed else []),
        "",
    ]
    if result.path is not None:
        path = result.path
        lines += [
            f"Slowest path, {path.logic + path.wire:.2f} ns (logic {path.logic}, wires",
            f"{path.wire}): from `{path.start}` to `{path.end}`.",
            "",
        ]
    lines += ["| cells | used | available | share |", "|---|---|---|---|"]
    for kind, (used, available) in result.cells.items():
        if available and used / available >= LIKELY:
            lines.append(f"| {kind} | {used} | {available} | {used / available:.0%} |")
    tools = ", ".join(f"{name} {version}" for name, version in result.tools.items())
    lines += ["", f"Made with {tools}.", ""]
    return "\n".join(lines)
