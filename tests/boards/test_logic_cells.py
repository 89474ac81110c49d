# SPDX-License-Identifier: Apache-2.0
"""Logic cells are counted as nextpnr counts them."""

import json
from pathlib import Path

from antevolt.boards.logic_cells import slots

PORTS = {
    "LUT": {"I": "input", "O": "output"},
    "DFF": {"D": "input", "Q": "output"},
    "ALU": {"I0": "input", "SUM": "output", "CIN": "input", "COUT": "output"},
}


def chained(*cells: tuple[str, *tuple[int, ...]]) -> str:
    """A netlist of cells: type, and the numbers of the wires at their ports."""
    made = {}
    for n, (kind, *wires) in enumerate(cells):
        ports = next(own for name, own in PORTS.items() if name in kind)
        bits = {port: [wire] for port, wire in zip(ports, wires, strict=False)}
        made[f"cell{n}"] = {"type": kind, "port_directions": ports, "connections": bits}
    return json.dumps({"modules": {"top": {"cells": made, "ports": {"o": {"bits": [9]}}}}})


def test_flip_flops_share_a_logic_cell_with_what_feeds_them(tmp_path: Path) -> None:
    file = tmp_path / "top.json"
    file.write_text(chained(("SB_LUT4", 2, 3), ("SB_DFF", 3, 4), ("SB_DFF", 4, 9)))
    assert slots(file, "ice40") == 2  # the second one stands alone
    file.write_text(chained(("SB_LUT4", 2, 3), ("SB_DFF", 3, 4), ("SB_LUT4", 3, 5)))
    assert slots(file, "ice40") == 3  # the first table feeds something else, too
    file.write_text(chained(("LUT2", 2, 3), ("DFFE", 3, 4), ("LUT4", 3, 5), ("DFF", 3, 9)))
    assert slots(file, "gowin") == 3  # which may be there, but one flip-flop only


ZERO = 99  # a wire that no cell drives


def test_chains_of_adders_and_memories_of_tables_take_more(tmp_path: Path) -> None:
    file = tmp_path / "top.json"
    file.write_text(chained(("ALU", 2, 3, ZERO, 4), ("ALU", 2, 5, 4, 6)))
    assert slots(file, "gowin") == 4  # the carry comes in, and one more makes it even
    file.write_text(chained(("ALU", 2, 3, ZERO, 4), ("ALU", 2, 5, 4, 6), ("ALU", 2, 7, 6, 9)))
    assert slots(file, "gowin") == 6  # in, three, and out: 5
    file.write_text(chained(("ALU", 2, 3, ZERO, 4), ("ALU", 2, 5, 4, 6), ("LUT1", 4, 7)))
    assert slots(file, "gowin") == 4 + 2 + 1  # a carry that is asked for ends its chain
    file.write_text(chained(("ALU", 2, 3, ZERO), ("DFF", 3, 9)))
    assert slots(file, "gowin") == 2  # the adder feeds it
    file.write_text(chained(("RAM16SDP4_LUT", 2, 3)).replace("_LUT", ""))
    assert slots(file, "gowin") == 8
