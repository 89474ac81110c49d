# SPDX-License-Identifier: Apache-2.0
"""FPGAs: what they hold, and how the tools name them.

Counts are those that nextpnr prints; Artix-7's are the vendor's, in block RAMs of 18 kbit.
"""

from dataclasses import dataclass

from antevolt.boards.synthesis import Architecture, Usage, family

__all__ = ["PARTS", "Part"]


@dataclass(frozen=True)
class Part:
    """One FPGA, and its arguments for place and route; none where a vendor's tool is needed."""

    name: str
    architecture: Architecture
    holds: Usage
    route: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        return family(self.architecture)


PARTS = {
    part.name: part
    for part in (
        Part("LFE5U-12F", "ecp5", Usage(24288, 24288, 28, 56), ("--12k",)),
        Part("LFE5U-25F", "ecp5", Usage(24288, 24288, 28, 56), ("--25k",)),
        Part("LFE5U-85F", "ecp5", Usage(83640, 83640, 156, 208), ("--85k",)),
        Part("LFE5UM5G-85F", "ecp5", Usage(83640, 83640, 156, 208), ("--um5g-85k",)),
        Part("iCE40UP5K", "ice40", Usage(5280, 5280, 8, 30, 5280), ("--up5k",)),
        Part("iCE40HX8K", "ice40hx", Usage(7680, 7680, 0, 32, 7680), ("--hx8k",)),
        Part("GW1NR-9C", "gowin", Usage(8640, 6480, 20, 26, 8640), ("--vopt", "family=GW1N-9C")),
        Part(
            "GW2AR-18C", "gowin", Usage(20736, 15552, 48, 46, 20736), ("--vopt", "family=GW2A-18C")
        ),
        Part("XC7A35T", "xilinx", Usage(20800, 41600, 90, 100)),
        Part("XC7A100T", "xilinx", Usage(63400, 126800, 240, 270)),
    )
}
