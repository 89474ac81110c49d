# SPDX-License-Identifier: Apache-2.0
"""The clock that place and route will find for a core, before any: from the stored builds.

The slowest paths are mostly wires, and those are as long as a side of what the core takes: a period
is a + b sqrt(flip-flops), least squares over the medians of the builds of one family, and b is not
negative. A board that has a build of its own is predicted from the others all the same.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from antevolt.boards.board import Board
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.model import needed
from antevolt.boards.results import builds

__all__ = ["Clock", "expected", "others"]

LEAST = 2
"""Cores of different size that a straight line takes."""


@dataclass(frozen=True)
class Clock:
    """A build as this sees it: the estimate of the core's flip-flops, and its median clock, MHz."""

    board: str
    flip_flops: int
    megahertz: float


def others(board: Board) -> list[Clock]:
    """Builds of the family of a board's part, without its own. Raises BadFile."""
    family = board.part.architecture
    return [
        Clock(other.name, needed(other).ffs, result.median)
        for other, result in builds(BOARDS.values())
        if other.name != board.name and other.part.architecture == family
    ]


def expected(board: Board, known: list[Clock] | None = None) -> float | None:
    """Megahertz; None where too little is known: fewer than `LEAST` cores of different size.

    known : what to predict from, without the board's own; None: all stored builds
    """
    found = others(board) if known is None else known
    if len({clock.flip_flops for clock in found}) < LEAST:
        return None
    sides = np.sqrt([clock.flip_flops for clock in found])
    periods = np.array([1e3 / clock.megahertz for clock in found])
    rise = max(0.0, float(np.polyfit(sides, periods, 1)[0]))
    period = float(periods.mean()) + rise * (sqrt(needed(board).ffs) - float(sides.mean()))
    return 1e3 / period if period > 0 else None
