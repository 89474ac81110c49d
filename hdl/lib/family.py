# SPDX-License-Identifier: Apache-2.0
"""Which vendor's blocks a design is elaborated for."""

from typing import Literal

__all__ = ["Ecp5", "Family", "family"]

Family = Literal["generic", "ecp5"]


class Ecp5:
    """A platform that only says: use the blocks of Lattice ECP5."""

    family: Family = "ecp5"


def family(platform: object) -> Family:
    """The platform's family; anything that does not say gets plain descriptions."""
    return getattr(platform, "family", "generic")
