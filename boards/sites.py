# SPDX-License-Identifier: Apache-2.0
"""Where multipliers and block RAMs stand on ECP5 parts, by their names in nextpnr."""

from dataclasses import dataclass

__all__ = ["SITES", "Site", "Sites"]


@dataclass(frozen=True)
class Site:
    """One block: column and row of the part, and its BEL."""

    x: int
    y: int
    bel: str


@dataclass(frozen=True)
class Sites:
    """Rows of blocks as wide as the part; in each nine columns four multipliers or four RAMs.

    multipliers, rams  the rows, from the top
    groups             of nine columns
    gap                two columns are left out after this one
    """

    multipliers: tuple[int, ...]
    rams: tuple[int, ...]
    groups: int
    gap: int

    @property
    def striped(self) -> bool:
        """Large enough for streams to stand beside each other from top to bottom."""
        return len(self.multipliers) > 1

    def _starts(self) -> list[int]:
        return [4 + 9 * n + (2 if 4 + 9 * n > self.gap else 0) for n in range(self.groups)]

    def pairs(self, y: int) -> list[tuple[Site, Site]]:
        """Multipliers of a row that are neighbours, from the left."""
        return [
            (_multiplier(x, y, first), _multiplier(x, y, first + 1))
            for x in self._starts()
            for first in (0, 4)
        ]

    def blocks(self) -> list[Site]:
        """All block RAMs."""
        return [
            Site(x + 2 * n, y, f"X{x + 2 * n}/Y{y}/EBR{n}")
            for y in self.rams
            for x in self._starts()
            for n in range(4)
        ]


def _multiplier(x: int, y: int, number: int) -> Site:
    return Site(x + number, y, f"X{x + number}/Y{y}/MULT18_{number}")


_25K = Sites((13,), (25, 37), 7, 27)
_85K = Sites((10, 34, 58), (22, 46, 70, 82), 13, 63)

SITES = {"--12k": _25K, "--25k": _25K, "--85k": _85K, "--um5g-85k": _85K}
"""By nextpnr's argument for the part."""
