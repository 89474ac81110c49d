# SPDX-License-Identifier: Apache-2.0
"""Records of components that were synthesised."""

import json
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil

from antevolt.boards import pieces
from antevolt.boards.measure import PLAIN
from antevolt.hdl.lib.family import Blocks


def netlist(folder: Path, component: Any, *args: Any, **options: Any) -> dict[str, int]:
    """Instead of a synthesis; a component that is made is elaborated, or Amaranth warns."""
    rtlil.convert(component, name="top", platform=Blocks("ecp5"))
    return {"LUT4": 7, "TRELLIS_FF": 5}


def test_what_is_measured_again_takes_the_place_of_an_older_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one from before a parameter of a machine existed, whose key is another."""
    machine: dict[str, Any] = json.loads(PLAIN.to_json())
    del machine["traces"]
    older = {"luts": 1, "ffs": 1, "multipliers": 0, "rams": 0, "slots": 0}
    file = tmp_path / "pieces.json"
    file.write_text(json.dumps({f"ecp5 ApplyLane {json.dumps(machine)}": older}))
    monkeypatch.setattr(pieces, "FILE", file)
    monkeypatch.setattr(pieces, "DATA", tmp_path)
    monkeypatch.setattr(pieces, "netlist", netlist)
    known = pieces.stored("ecp5", "ApplyLane", PLAIN)
    assert known is not None
    assert known.luts == 1
    found = pieces.measure("ecp5", "ApplyLane", PLAIN)
    assert (found.luts, found.ffs) == (7, 5)
    assert pieces.stored("ecp5", "ApplyLane", PLAIN) == found
    assert len(json.loads(file.read_text())) == 1
