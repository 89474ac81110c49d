# SPDX-License-Identifier: Apache-2.0
"""ULX3S with an ECP5-85F: one stream, for short steps."""

from antevolt.boards.board import Board
from antevolt.hdl.spec.machine import Machine

__all__ = ["BOARD"]

BOARD = Board(
    name="ulx3s-85f-latency",
    title="ULX3S 85F, one stream",
    part_name="LFE5U-85F",
    platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
    crystal=25e6,
    machine=Machine(
        rows=54,
        multipliers=5,
        tile_rows=9,
        apply_rows=9,
        w_depth=256,
        program_depth=256,
    ),
    hz=150e6,
    divide=2,
    baud=3_000_000,
    loader="ulx3s",
    placer=("--placer-heap-beta", "0.75"),  # cells stand less close (docs/fit.md)
    lacks="moments (plain gradient descent only), learned time constants",
)
