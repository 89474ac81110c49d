# SPDX-License-Identifier: Apache-2.0
"""Digilent Arty A7-100T, with the core of an ECP5-85F: an exported project, for which Vivado makes
the bitstream."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ECP5_85

__all__ = ["BOARD"]

BOARD = Board(
    name="arty-a7-100t",
    title="Arty A7-100T",
    part_name="XC7A100T",
    platform="amaranth_boards.arty_a7:ArtyA7_100Platform",
    crystal=100e6,
    machine=ECP5_85,
    hz=75e6,
    baud=2_000_000,
    loader="arty_a7_100t",
    lacks="moments of their own (Adam), learned time constants; 512 neurons and filters per stream",
    vendor="Vivado",
)
