# SPDX-License-Identifier: Apache-2.0
"""The tables of a report: what ran, on what, and what was counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import Any

from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.host.run_folder import Recorded

__all__ = ["number", "pairs", "populations", "projections", "settings", "table", "totals"]


def number(value: Any) -> str:
    """A value as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple | list):
        return _several(value)
    return "-" if value is None else str(value)


def _several(values: Sequence[Any]) -> str:
    """One of equal numbers, all of some, the ends of many."""
    if values and all(value == values[0] for value in values):
        return number(values[0])
    if len(values) <= 6:
        return ", ".join(number(value) for value in values)
    if all(isinstance(value, int | float) for value in values):
        return f"{number(min(values))} .. {number(max(values))} ({len(values)} values)"
    return f"{len(values)} values"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are escaped here."""
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    top = f"<thead><tr>{heads}</tr></thead>" if head else ""
    return f'<div class="scroll"><table>{top}<tbody>\n{body}\n</tbody></table></div>'


def pairs(values: Mapping[str, Any]) -> str:
    """Names and values, a line each."""
    rows = "\n".join(
        f"<tr><th>{escape(name)}</th><td>{escape(number(value))}</td></tr>"
        for name, value in values.items()
    )
    return f'<div class="scroll"><table><tbody>\n{rows}\n</tbody></table></div>'


def settings(network: Network) -> str:
    """Constants of the network that belong to no population."""
    left_out = ("populations", "projections")
    names = [f.name for f in fields(Network) if f.name not in left_out]
    values = {name: getattr(network, name) for name in names}
    values |= {"weights and biases": network.weight_count, "fingerprint": network.fingerprint}
    return pairs(values)


def populations(network: Network) -> str:
    names = [f.name for f in fields(Population)]
    rows = [
        [str(l), *(number(getattr(population, name)) for name in names)]
        for l, population in enumerate(network.populations, 1)
    ]
    return table(["", *names], rows)


def projections(network: Network) -> str:
    names = [f.name for f in fields(Projection)]
    rows = [
        [str(k), *(number(getattr(projection, name)) for name in names)]
        for k, projection in enumerate(network.projections)
    ]
    return table(["", *names], rows)


def totals(run: Recorded) -> dict[str, int]:
    """Counters and saturations of all the log together; kinds that never saturated left out."""
    found: dict[str, int] = {}
    for line in run.log:
        for name, count in line.get("counters", {}).items():
            found[name] = found.get(name, 0) + int(count)
    for line in run.log:
        for kind, count in line.get("saturated", {}).items():
            if count:
                found[f"saturated: {kind}"] = found.get(f"saturated: {kind}", 0) + int(count)
    return found
