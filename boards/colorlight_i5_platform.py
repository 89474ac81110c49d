# SPDX-License-Identifier: Apache-2.0
"""Pins of the Colorlight i5 (revision 7.0) that are used here; Amaranth has no platform for it."""

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import UARTResource

__all__ = ["ColorlightI5Platform"]


class ColorlightI5Platform(LatticeECP5Platform):
    """The serial line goes to the debugger of the extension board."""

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = (
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("led", 0, PinsN("U16", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
        UARTResource(0, rx="H18", tx="J17", attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    )
    connectors = ()
