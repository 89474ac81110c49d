# SPDX-License-Identifier: Apache-2.0
"""ULX3S with an ECP5-12F: two streams."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ECP5_25

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s-12f",
    title="ULX3S 12F",
    part_name="LFE5U-12F",
    platform="amaranth_boards.ulx3s:ULX3S_12F_Platform",
    crystal=25e6,
    machine=ECP5_25,
    hz=150e6,
    divide=2,
    baud=3_000_000,
    loader="ulx3s",
    lacks="moments of their own (Adam), learned time constants",
)
