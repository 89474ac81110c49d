# SPDX-License-Identifier: Apache-2.0
"""Synthesised components: measurements for what no whole core was synthesised for.

    python -m antevolt.boards.pieces

Components take seconds where cores take minutes. What a mechanism adds to the component that it is
in is nearly all that it adds to a core; and a family needs more or fewer cells than ECP5 for the
same components, as it does for cores.
"""

import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from antevolt.boards.measure import DATA, PLAIN, machine_of
from antevolt.boards.presets import SMALLEST
from antevolt.boards.synthesis import ARCHITECTURES, Architecture, Usage, netlist, usage
from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.host.files import write_whole

__all__ = ["CHANGES", "COMPARED", "added", "command", "compared", "stored"]

FILE = DATA / "pieces.json"
CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "one moment": ("ApplyLane", {"moments": 1}),
    "two moments": ("ApplyLane", {"moments": 2}),
    "carry": ("ApplyLane", {"carry": True}),
    "shared lanes that carry": ("ApplyLane", {"carry": True}),
    "sums": ("Outlet", {"sums": True}),
    "multipliers": ("FilterUnit", {"multipliers": 2}),
    "word": ("FilterUnit", {"formats": Formats(word=16)}),
}
"""By term of the model: the component that a change is in."""

WHOLE = {"filters": "FilterUnit", "shared lanes": "ApplyLane"}
"""Likewise: what is more or fewer of a component."""

COMPARED = ("FilterUnit", "ApplyLane", "Registers", "Neurons")
"""Components of the smallest core that families are compared by. (yosys' abc9 ends without a word
on the filter unit by itself for Gowin and Xilinx, which are compared by the others.)"""

MODULES = {
    "ApplyLane": "apply",
    "FilterUnit": "filter",
    "Neurons": "neurons",
    "Outlet": "outlet",
    "Registers": "registers",
}
REACH = 8  # of an Outlet; no matter here


def _key(architecture: Architecture, kind: str, machine: Machine) -> str:
    return f"{architecture} {kind} {machine.to_json()}"


def _text() -> dict[str, dict[str, int]]:
    """The file, its keys as they were written."""
    try:
        found: dict[str, dict[str, int]] = json.loads(FILE.read_text()) if FILE.exists() else {}
    except ValueError as error:
        raise BadFile(f"{FILE} is no record of components: {error}") from error
    return found


def _records() -> dict[str, dict[str, int]]:
    """By the machine as it is told now: one of before a parameter existed has its default."""
    found = {}
    for key, values in _text().items():
        try:
            architecture, kind, machine = key.split(" ", 2)
            told = machine_of(json.loads(machine)).to_json()
        except (ValueError, TypeError) as error:
            raise BadFile(f"{FILE} is no record of components: {error}") from error
        found[f"{architecture} {kind} {told}"] = values
    return found


def stored(architecture: Architecture, kind: str, machine: Machine) -> Usage | None:
    values = _records().get(_key(architecture, kind, machine))
    return Usage(**values) if values is not None else None


def wanted() -> list[tuple[Architecture, str, Machine]]:
    """All components to synthesise."""
    pairs = [("ecp5", kind, PLAIN) for kind in ("ApplyLane", "Outlet", "FilterUnit")]
    pairs += [("ecp5", kind, replace(PLAIN, **change)) for kind, change in CHANGES.values()]
    pairs += [
        (a, kind, SMALLEST)
        for a in ARCHITECTURES
        for kind in COMPARED
        if kind != "FilterUnit" or a not in ("gowin", "xilinx")
    ]
    return pairs  # type: ignore[return-value]


def measure(architecture: Architecture, kind: str, machine: Machine) -> Usage:
    """Synthesise a component, and store what it takes."""
    component = getattr(import_module(f"antevolt.hdl.core.{MODULES[kind]}"), kind)
    arguments = {"ApplyLane": (machine, 0), "Outlet": (machine, REACH)}.get(kind, (machine,))
    with TemporaryDirectory() as folder:
        cells = netlist(Path(folder), component(*arguments), architecture, apart=False)
    found = usage(architecture, cells)
    # in the place of an older one, also of one from before a parameter existed
    text = {**_records(), _key(architecture, kind, machine): found.to_dict()}
    DATA.mkdir(exist_ok=True)
    write_whole(FILE, json.dumps(text, indent=1, sort_keys=True) + "\n")
    return found


def added(term: str) -> Usage | None:
    """What a term of the model takes on ECP5, from components; None: that is not known."""
    if term in WHOLE:
        return stored("ecp5", WHOLE[term], PLAIN)
    if term not in CHANGES:
        return None
    kind, change = CHANGES[term]
    with_, without = (stored("ecp5", kind, m) for m in (replace(PLAIN, **change), PLAIN))
    return with_ - without if with_ is not None and without is not None else None


def compared(architecture: Architecture) -> tuple[float, float] | None:
    """LUTs and flip-flops of a family's components as a multiple of ECP5's."""
    own = [stored(architecture, kind, SMALLEST) for kind in COMPARED]
    base = [stored("ecp5", kind, SMALLEST) for kind in COMPARED]
    pairs = [(a, b) for a, b in zip(own, base, strict=True) if a is not None and b is not None]
    if not pairs:
        return None
    luts = sum(a.luts for a, _ in pairs) / sum(b.luts for _, b in pairs)
    ffs = sum(a.ffs for a, _ in pairs) / sum(b.ffs for _, b in pairs)
    return luts, ffs


@click.command()
@click.option("--again", is_flag=True, help="Also those that have a record.")
def command(again: bool) -> None:
    """Synthesise the components that have no record."""
    for architecture, kind, machine in wanted():
        if again or stored(architecture, kind, machine) is None:
            found = measure(architecture, kind, machine)
            click.echo(f"{architecture} {kind} {machine.name}: {found.to_dict()}")


if __name__ == "__main__":
    command()
