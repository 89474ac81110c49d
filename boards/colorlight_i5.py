# SPDX-License-Identifier: Apache-2.0
"""Colorlight i5 (ECP5-25F) on its extension board, whose debugger has a serial port."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ECP5_25

__all__ = ["BOARD"]

BOARD = Board(
    name="colorlight-i5",
    title="Colorlight i5",
    part_name="LFE5U-25F",
    platform="antevolt.boards.colorlight_i5_platform:ColorlightI5Platform",
    crystal=25e6,
    machine=ECP5_25,
    hz=150e6,
    divide=2,
    baud=115_200,
    loader="colorlight-i5",
    lacks="moments of their own (Adam), learned time constants",
)
