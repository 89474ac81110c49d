# SPDX-License-Identifier: Apache-2.0
"""The core's components as they are instantiated: the submodules of an elaborated core."""

import re
from collections import Counter
from typing import Any

from amaranth.hdl import Fragment

from antevolt.hdl.core.core import Core
from antevolt.hdl.spec.machine import Machine

__all__ = ["design"]

MACHINE = Machine(rows=3, streams=2, filters=1, multipliers=2)
OWN = "antevolt."


def design() -> str:
    """A tree of components; alike ones once, with how many there are."""
    m = MACHINE
    head = f"{m.rows} rows, {m.streams} streams, {m.filters} filter unit with {m.multipliers} "
    core = Fragment.get(Core(m), None)
    lines = [f"{head}multipliers per column:", "", "```text", f"Core: {_about(core)}"]
    return "\n".join([*lines, *_below(core, ""), "```"])


def _component(fragment: Any) -> Any:
    """What the fragment was made from; None for memories and other parts of Amaranth."""
    made = (fragment.origins or (None,))[0]
    return made if type(made).__module__.startswith(OWN) else None


def _below(fragment: Any, indent: str) -> list[str]:
    """Lines of the submodules; alike are those whose names differ in digits only."""
    alike: dict[tuple[str, str], Any] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for sub, name, *_ in fragment.subfragments:
        component = _component(sub)
        if component is not None:
            key = re.sub(r"\d+(_\d+)?$", "", str(name)), type(component).__name__
            alike.setdefault(key, sub)
            counts[key] += 1
    lines = []
    for number, (key, sub) in enumerate(alike.items(), 1):
        last = number == len(alike)
        times = f" x {counts[key]}" if counts[key] > 1 else ""
        about = "" if key[1] in ("Ram", "Multiplier") else f": {_about(sub)}"
        lines.append(f"{indent}{'`-' if last else '|-'} {key[0]} ({key[1]}{times}){about}")
        lines += _below(sub, indent + ("   " if last else "|  "))
    return lines


def _about(fragment: Any) -> str:
    """The first sentence of the component's docstring."""
    text = " ".join((type(_component(fragment)).__doc__ or "").split("\n\n")[0].split())
    return re.split(r"(?<=\w)[.;](?: |$)", text)[0].rstrip(".")
