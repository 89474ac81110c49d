# SPDX-License-Identifier: Apache-2.0
"""Pins of the Tang Nano 20K that are used here; Amaranth has no platform for it."""

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource
from amaranth.vendor import GowinPlatform
from amaranth_boards.resources import UARTResource

__all__ = ["TangNano20kPlatform"]


class TangNano20kPlatform(GowinPlatform):
    """The serial line goes to the debugger on the board."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    resources = (
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("led", 0, PinsN("15", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="70", tx="69", attrs=Attrs(PULL_MODE="UP", IO_TYPE="LVCMOS33")),
    )
    connectors = ()
