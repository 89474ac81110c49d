# SPDX-License-Identifier: Apache-2.0
"""Logic cells of parts whose cells are a table or an adder, and a flip-flop."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["FEEDS", "slots"]

FEEDS = {"ice40": ("SB_LUT4",), "gowin": ("LUT", "ALU")}
"""Families in which a flip-flop shares a logic cell only with the table or adder that feeds it."""

TILE = 8
"""Logic cells of Gowin that a memory of tables has for itself."""

Bits = list[int | str]


@dataclass(frozen=True)
class _Cell:
    kind: str
    inputs: dict[str, Bits]
    outputs: dict[str, Bits]


def slots(netlist: Path, family: str) -> int:
    """Logic cells of a netlist of yosys: tables and adders, and flip-flops that share one with
    none.

    A table can share its cell with one flip-flop that it feeds, on iCE40 only if it feeds nothing
    else: the cell has one output. On Gowin chains of adders take more than their adders, and
    memories of tables a tile each.
    """
    top = json.loads(netlist.read_text())["modules"]["top"]
    cells = [_read(cell) for cell in top["cells"].values()]
    readers = Counter(b for port in top["ports"].values() for b in port["bits"])
    readers.update(b for cell in cells for bits in cell.inputs.values() for b in bits)
    feeding = [cell for cell in cells if cell.kind.startswith(FEEDS[family])]
    outputs = ((n, bits) for n, cell in enumerate(feeding) for bits in cell.outputs.values())
    drivers = {bit: n for n, bits in outputs for bit in bits}
    fed = [cell.inputs["D"][0] for cell in cells if "DFF" in cell.kind]
    shared = {drivers[d] for d in fed if d in drivers and (family != "ice40" or readers[d] == 1)}
    memories = sum(cell.kind.startswith("RAM16S") for cell in cells)
    adders = [cell for cell in feeding if cell.kind == "ALU"]
    more = sum(_more(length, ends) for length, ends in _chains(adders, readers))
    return len(feeding) + len(fed) - len(shared) + more + TILE * memories


def _read(cell: dict[str, Any]) -> _Cell:
    ways, bits = cell["port_directions"], cell["connections"]
    outputs = {port: own for port, own in bits.items() if ways.get(port) == "output"}
    inputs = {port: own for port, own in bits.items() if port not in outputs}
    return _Cell(cell["type"], inputs, outputs)


def _more(length: int, ends: bool) -> int:
    """Cells of a chain of adders on Gowin beside these: one that brings the carry in, one that
    brings it out where anything but an adder asks for it, and one that makes their number even."""
    whole = 1 + length + ends
    return whole + whole % 2 - length


def _chains(adders: list[_Cell], readers: Counter[Any]) -> Iterable[tuple[int, bool]]:
    """Length of each chain, and whether its last carry is asked for. A carry that goes to more
    than one adder ends a chain."""
    takes = {adder.inputs["CIN"][0]: adder for adder in adders}
    gives = {bit for adder in adders for bit in adder.outputs.get("COUT", [])}
    for adder in adders:
        carry = adder.inputs["CIN"][0]
        if carry in gives and readers[carry] == 1:
            continue
        length, last = 1, adder
        while (out := last.outputs.get("COUT", [None])[0]) in takes and readers[out] == 1:
            length, last = length + 1, takes[out]
        yield length, out is not None and readers[out] > 0
