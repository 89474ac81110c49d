# SPDX-License-Identifier: Apache-2.0
"""A component takes what it took, in every family, within 10 %.

The apply lane, not a core: four cores would take minutes. `make fit` synthesises those.
"""

import json
from pathlib import Path

import pytest

from antevolt.boards.pieces import stored
from antevolt.boards.presets import SMALLEST
from antevolt.boards.synthesis import FEEDS, Architecture, Usage, netlist, slots, usage
from antevolt.hdl.core.apply import ApplyLane

WITHIN = 0.10


def beyond(found: Usage, baseline: Usage) -> list[str]:
    """Resources that grew or shrank by more than 10 %."""
    pairs = zip(found.to_dict().items(), baseline.values(), strict=True)
    return [name for (name, now), then in pairs if abs(now - then) > WITHIN * then]


@pytest.mark.parametrize("architecture", ["ecp5", "ice40", "gowin", "xilinx"])
def test_cells_are_those_of_the_baseline(architecture: Architecture, tmp_path: Path) -> None:
    baseline = stored(architecture, "ApplyLane", SMALLEST)
    assert baseline is not None
    cells = netlist(tmp_path, ApplyLane(SMALLEST, 0), architecture, apart=False)
    assert beyond(usage(architecture, cells), baseline) == []


def test_what_grew_is_named() -> None:
    then = Usage(1000, 500, 3, 10)
    assert beyond(Usage(1099, 451, 3, 10), then) == []
    assert beyond(Usage(1101, 500, 3, 12), then) == ["luts", "rams"]
    assert beyond(Usage(1000, 500, 0, 10), then) == ["multipliers"]


LUT, REGISTER = {"I": "input", "O": "output"}, {"D": "input", "Q": "output"}


def chained(*cells: tuple[str, int, int]) -> str:
    """A netlist of cells (type, number of the input's wire, of the output's)."""
    made = {
        f"cell{n}": {
            "type": kind,
            "port_directions": REGISTER if "DFF" in kind else LUT,
            "connections": {"D" if "DFF" in kind else "I": [i], "Q" if "DFF" in kind else "O": [o]},
        }
        for n, (kind, i, o) in enumerate(cells)
    }
    return json.dumps({"modules": {"top": {"cells": made, "ports": {"o": {"bits": [9]}}}}})


def test_flip_flops_share_a_logic_cell_with_what_feeds_them(tmp_path: Path) -> None:
    file = tmp_path / "top.json"
    file.write_text(chained(("SB_LUT4", 2, 3), ("SB_DFF", 3, 4), ("SB_DFF", 4, 9)))
    assert slots(file, FEEDS["ice40"]) == 2  # the second one stands alone
    file.write_text(chained(("SB_LUT4", 2, 3), ("SB_DFF", 3, 4), ("SB_LUT4", 3, 5)))
    assert slots(file, FEEDS["ice40"]) == 3  # the first table feeds something else, too
    file.write_text(chained(("LUT2", 2, 3), ("DFFE", 3, 4), ("ALU", 3, 5), ("DFF", 3, 9)))
    assert slots(file, FEEDS["gowin"]) == 3  # which may be there, but one flip-flop only
