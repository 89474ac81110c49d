# SPDX-License-Identifier: Apache-2.0
"""LambdaConcept ECPIX-5 with an ECP5-85F (speed grade 8)."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ECP5_85, ECP5_85_PLACER

__all__ = ["BOARD"]

BOARD = Board(
    name="ecpix5-85f",
    title="ECPIX-5 85F",
    part_name="LFE5UM5G-85F",
    platform="amaranth_boards.ecpix5:ECPIX585Platform",
    crystal=100e6,
    machine=ECP5_85,
    hz=125e6,
    divide=2,
    baud=3_000_000,
    loader="ecpix5",
    lacks="moments of their own (Adam), learned time constants; 512 neurons and filters per stream",
    placer=ECP5_85_PLACER,
)
