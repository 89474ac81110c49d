# SPDX-License-Identifier: Apache-2.0
"""ULX3S with an ECP5-85F: many streams, for throughput."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ECP5_85, ECP5_85_PLACER

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s-85f",
    title="ULX3S 85F",
    part_name="LFE5U-85F",
    platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    crystal=25e6,
    machine=ECP5_85,
    hz=150e6,
    divide=2,
    baud=3_000_000,
    loader="ulx3s",
    lacks="moments of their own (Adam), learned time constants; 512 neurons and filters per stream",
    placer=ECP5_85_PLACER,
)
