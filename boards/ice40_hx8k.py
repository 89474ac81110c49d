# SPDX-License-Identifier: Apache-2.0
"""Lattice's breakout board of the iCE40HX8K, which has no multipliers."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ALONE

__all__ = ["BOARD"]

BOARD = Board(
    name="ice40-hx8k",
    title="iCE40-HX8K breakout",
    part_name="iCE40HX8K",
    platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
    crystal=12e6,
    machine=ALONE,
    hz=60e6,
    baud=1_000_000,
    loader="ice40_generic",
    lacks="the link to a host, everything that may be left out, and words of more than 14 bits",
    hostless=True,
)
