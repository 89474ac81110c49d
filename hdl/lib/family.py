# SPDX-License-Identifier: Apache-2.0
"""Which vendor's blocks a design is elaborated for."""

from typing import Literal, get_args

__all__ = ["FAMILIES", "LUT_MEMORY", "Blocks", "Ecp5", "Family", "family"]

Family = Literal["generic", "ecp5", "ice40", "ice40hx", "gowin"]
"""`ice40hx`: parts of iCE40 that have no multiplier blocks."""
FAMILIES: tuple[Family, ...] = get_args(Family)
LUT_MEMORY: dict[str, dict[str, str]] = dict.fromkeys(
    ("ecp5", "gowin"), {"ram_style": "distributed"}
)
"""Of families with memories made of LUTs that the open tools use: what yosys is told of one."""


class Blocks:
    """A platform that only says whose blocks to use."""

    def __init__(self, family: Family):
        self.family: Family = family


class Ecp5(Blocks):
    """A platform that only says: use the blocks of Lattice ECP5."""

    def __init__(self) -> None:
        super().__init__("ecp5")


def family(platform: object) -> Family:
    """A platform's family: its `blocks`, or else its `family`; others get plain descriptions."""
    named = getattr(platform, "blocks", getattr(platform, "family", "generic"))
    return named if named in FAMILIES else "generic"
