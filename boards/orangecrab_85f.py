# SPDX-License-Identifier: Apache-2.0
"""OrangeCrab r0.2 with an ECP5-85F (speed grade 8); it has no UART of its own."""

from antevolt.boards.board import Board
from antevolt.boards.presets import ECP5_85, ECP5_85_PLACER

__all__ = ["BOARD"]

BOARD = Board(
    name="orangecrab-85f",
    title="OrangeCrab r0.2 85F",
    part_name="LFE5U-85F",
    platform="antevolt.boards.orangecrab_uart:OrangeCrabUart",
    crystal=48e6,
    machine=ECP5_85,
    hz=120e6,
    divide=2,
    baud=3_000_000,
    loader="orangeCrab",
    adapter="a USB serial adapter of 3.3 V: its TX to pin 0 (ball N17), its RX to pin 1 (ball M18)",
    lacks="moments of their own (Adam), learned time constants; 512 neurons and filters per stream",
    placer=ECP5_85_PLACER,
)
