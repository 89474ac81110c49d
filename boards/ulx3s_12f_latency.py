# SPDX-License-Identifier: Apache-2.0
"""ULX3S with an ECP5-12F: one stream, for short steps."""

from antevolt.boards.board import Board
from antevolt.hdl.spec.machine import Machine

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s-12f-latency",
    title="ULX3S 12F, one stream",
    part_name="LFE5U-12F",
    platform="amaranth_boards.ulx3s:ULX3S_12F_Platform",
    crystal=25e6,
    machine=Machine(
        rows=8,
        multipliers=3,
        tile_rows=2,
        state_depth=256,
        traces=False,
        softmax=False,
        sums=False,
        saturations=False,
        paired=True,
    ),
    hz=150e6,
    divide=2,
    baud=3_000_000,
    loader="ulx3s",
    lacks="traces, recurrence, softmax, moments, sums of outputs, learned time constants, counters "
    "of saturations",
)
