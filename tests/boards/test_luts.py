# SPDX-License-Identifier: Apache-2.0
"""Memories in LUTs: synthesis makes them of nothing else, and of as many as the model says."""

from pathlib import Path

import pytest

from antevolt.boards.model import _luts
from antevolt.boards.synthesis import netlist, usage
from antevolt.hdl.lib.ram import Ram

WITHIN = 0.05


@pytest.mark.parametrize(("width", "depth"), [(36, 128), (18, 64), (24, 16)])
def test_a_small_memory_takes_no_block(width: int, depth: int, tmp_path: Path) -> None:
    ram = Ram(width, depth, lut_depth=128)
    cells = netlist(tmp_path, ram, "ecp5", apart=False)
    assert ram.blocks == cells.get("DP16KD", 0) == 0
    assert cells["TRELLIS_DPR16X4"] == -(-width // 4) * depth // 16
    found = usage("ecp5", cells)
    assert abs(_luts(width, depth) / found.luts - 1) < WITHIN
    assert found.ffs == width + (depth - 1).bit_length()


def test_a_larger_one_does(tmp_path: Path) -> None:
    ram = Ram(18, 256, lut_depth=128)
    assert ram.blocks == netlist(tmp_path, ram, "ecp5", apart=False)["DP16KD"] == 1
