# SPDX-License-Identifier: Apache-2.0
"""Sipeed Tang Nano 9K (GW1NR-9); its debugger has a serial port."""

from antevolt.boards.board import Board
from antevolt.boards.presets import SMALLEST

__all__ = ["BOARD"]

BOARD = Board(
    name="tang-nano-9k",
    title="Tang Nano 9K",
    part_name="GW1NR-9C",
    platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    crystal=27e6,
    machine=SMALLEST,
    hz=27e6,
    baud=1_000_000,
    loader="tangnano9k",
    lacks="everything that may be left out, counters of saturations, and words of more than 12 "
    "bits",
)
