# SPDX-License-Identifier: Apache-2.0
"""`open("rtl:ecp5")`, `open("rtl:ice40")`: the synthesised core as a device."""

from antevolt.hdl.spec.machine import Machine
from antevolt.sim.netlist.simulator import build
from antevolt.sim.rtl.device import RtlBackend

__all__ = ["ecp5", "ice40"]


def ecp5(machine: Machine, deadline: float) -> RtlBackend:
    """The core of `machine` as synthesis for Lattice ECP5 leaves it."""
    return RtlBackend(machine, deadline, simulator=build(machine, "ecp5"))


def ice40(machine: Machine, deadline: float) -> RtlBackend:
    """The core of `machine`, words of 16 bits, as synthesis for Lattice iCE40 leaves it."""
    return RtlBackend(machine, deadline, simulator=build(machine, "ice40"))
