# SPDX-License-Identifier: Apache-2.0
"""Digilent Arty A7-35T: an exported project, for which Vivado makes the bitstream."""

from antevolt.boards.board import Board
from antevolt.boards.presets import XC7A35

__all__ = ["BOARD"]

BOARD = Board(
    name="arty-a7-35t",
    title="Arty A7-35T",
    part_name="XC7A35T",
    platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
    crystal=100e6,
    machine=XC7A35,
    hz=75e6,
    baud=2_000_000,
    loader="arty_a7_35t",
    lacks="moments (plain gradient descent only), learned time constants",
    vendor="Vivado",
)
