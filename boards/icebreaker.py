# SPDX-License-Identifier: Apache-2.0
"""iCEBreaker (iCE40UP5K)."""

from antevolt.boards.board import Board
from antevolt.boards.presets import SMALLEST

__all__ = ["BOARD"]

BOARD = Board(
    name="icebreaker",
    title="iCEBreaker",
    part_name="iCE40UP5K",
    platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
    crystal=12e6,
    machine=SMALLEST,
    hz=18e6,
    baud=1_000_000,
    loader="ice40_generic",
    lacks="everything that may be left out, counters of saturations, and words of more than 12 "
    "bits; even so it does not fit",
)
