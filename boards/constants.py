# SPDX-License-Identifier: Apache-2.0
"""Constants that blocks of an ECP5 take by wire, from cells beside them, written into a netlist.

nextpnr has one cell for all zeros of a part and one for all ones: wires from there to every
multiplier, memory of LUTs and carry chain, thousands of them and all across the part. Where much of
it is taken they are the last that its router finds a way for, or never finds. Here a few blocks
together have cells of their own, and a carry chain begins with the cell that nextpnr would put
before it anyway, in whose table the constant is.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

__all__ = ["spread"]

WIRED = {
    "MULT18X18D": ("RST", "CE", "SOURCE", "SIGNED"),
    "TRELLIS_DPR16X4": ("RAD", "WAD", "DI", "WRE"),
}
"""Pins, by how their names begin, that a block has no setting for."""
SEVERAL = 4  # blocks of one component that share cells
PASSES_ON = {
    "INIT0": f"{10:016b}",
    "INIT1": f"{0xFFFF:016b}",
    "INJECT1_0": "NO",
    "INJECT1_1": "YES",
}
"""Of a CCU2C whose carry is its input A0."""

Pins = list[list[Any]]
"""The lists of bits, each of a port, in which a constant stands."""


def spread(module: dict[str, Any]) -> int:
    """Change a flat module of yosys' JSON; returns the number of new cells."""
    cells, names = module["cells"], module["netnames"]
    bit = max(bit for net in names.values() for bit in net["bits"] if isinstance(bit, int))
    added: dict[str, Any] = {}
    for kind, name, value, pins in (*_of_blocks(cells), *_of_chains(cells)):
        bit += 1
        added[name] = _constant(value, bit) if kind == "LUT4" else _beginning(value, bit)
        names[f"{name}.out"] = {"hide_name": 0, "bits": [bit], "attributes": {}}
        for bits in pins:
            bits[:] = [bit if own == value else own for own in bits]
    cells |= added
    return len(added)


def _of_blocks(cells: dict[str, Any]) -> Iterator[tuple[str, str, str, Pins]]:
    """Kind and name of a new cell, its constant, and where that stands."""
    for kind, wired in WIRED.items():
        own = sorted(name for name, cell in cells.items() if cell["type"] == kind)
        for place, named in groupby(own, key=lambda name: name.rsplit(".", 2)[0]):
            blocks = [cells[name]["connections"] for name in named]
            for n in range(0, len(blocks), SEVERAL):
                ports = [
                    bits
                    for block in blocks[n : n + SEVERAL]
                    for port, bits in block.items()
                    if port.startswith(wired)
                ]
                for value in "01":
                    if pins := [bits for bits in ports if value in bits]:
                        yield "LUT4", f"{place}.constant{value}_{n}", value, pins


def _of_chains(cells: dict[str, Any]) -> Iterator[tuple[str, str, str, Pins]]:
    """The same for carry chains."""
    for name, cell in cells.items():
        pins = cell["connections"].get("CIN") if cell["type"] == "CCU2C" else None
        if pins and pins[0] in ("0", "1"):
            yield "CCU2C", f"{name}.begin", pins[0], [pins]


def _constant(value: str, bit: int) -> dict[str, Any]:
    return _cell("LUT4", {"INIT": value * 16}, {}, {"Z": [bit]})


def _beginning(value: str, bit: int) -> dict[str, Any]:
    high = {f"{pin}{half}": ["1"] for half in "01" for pin in "ABCD"}  # which takes no wire
    return _cell("CCU2C", PASSES_ON, {**high, "A0": [value], "CIN": ["x"]}, {"COUT": [bit]})


def _cell(
    kind: str, parameters: dict[str, str], inputs: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    """A cell as yosys writes it."""
    return {
        "hide_name": 0,
        "type": kind,
        "parameters": parameters,
        "attributes": {},
        "port_directions": dict.fromkeys(inputs, "input") | dict.fromkeys(outputs, "output"),
        "connections": inputs | outputs,
    }
