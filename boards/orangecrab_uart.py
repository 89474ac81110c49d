# SPDX-License-Identifier: Apache-2.0
"""OrangeCrab with a serial line on its pins 0 and 1."""

from amaranth.build import Attrs
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import UARTResource

__all__ = ["OrangeCrabUart"]


class OrangeCrabUart(OrangeCrabR0_2_85FPlatform):
    """The board itself speaks USB only; pin 0 of its header receives, pin 1 sends."""

    def __init__(self) -> None:
        super().__init__()
        line = UARTResource(
            0, rx="0", tx="1", conn=("io", 0), attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")
        )
        self.add_resources([line])
