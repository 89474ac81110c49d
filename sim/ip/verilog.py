# SPDX-License-Identifier: Apache-2.0
"""The IP core as one file of plain Verilog-2005."""

import os
import re

from antevolt.hdl.ip import Ip
from antevolt.hdl.spec.machine import Machine
from antevolt.host.bake import Baked

__all__ = ["FAMILIES", "TOP", "Target", "verilog"]

TOP = "antevolt_ip"
FAMILIES = {
    "generic": "plain descriptions of memories and multipliers, for any tool",
    "ecp5": "instances of MULT18X18D and DP16KD of Lattice ECP5",
    "ice40": "instances of SB_MAC16 of Lattice iCE40UP, with words of 16 bits",
    "xilinx": "plain descriptions of multipliers and memories, for AMD's tools",
    "intel": "plain descriptions of multipliers and memories, for Intel's tools",
}


CONSTANT = re.compile(r"^  always @\*\n(    [^;\n]+ = [0-9]+'[0-9a-z]+;)$", re.MULTILINE)
"""A constant part of a port as Yosys writes it: a process that waits for a change of nothing."""


class Target:
    """A platform that only says whose blocks to use (`antevolt.hdl.lib.family`)."""

    def __init__(self, family: str):
        self.family = family


def verilog(machine: Machine, family: str, baked: Baked | None = None) -> str:
    """The module `antevolt_ip`; its submodules have names that begin with its own.

    baked  a network that its memories hold at power-up
    """
    os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")
    from amaranth.back import verilog as back

    text = back.convert(
        Ip(machine, None if baked is None else baked.contents),
        name=TOP,
        platform=Target(family),
        emit_src=False,
        strip_internal_attrs=True,
    )
    text = CONSTANT.sub(r"  initial\n\1", text)
    told = "" if baked is None else f" Network {baked.image.network.fingerprint} is in it."
    head = f"// antevolt IP core {machine.name}, family {family}.{told} Made by `antevolt export`."
    return f"{head}\n{text}"
