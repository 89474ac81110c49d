# SPDX-License-Identifier: Apache-2.0
"""A board's design: clock, serial line and the top level between them."""

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from antevolt.boards.board import Board
from antevolt.boards.clock import Clock
from antevolt.boards.floorplan import floorplan
from antevolt.boards.stand_in import StandIn

__all__ = ["Shell", "top"]

DEVICES = {"--25k": "25k", "--12k": "25k", "--85k": "85k", "--um5g-85k": "85k"}


def top(board: Board) -> Any:
    """The top level of a board."""
    device = DEVICES.get(board.part.route[0]) if board.part.route else None
    bels = floorplan(device, board.machine) if device else None
    return StandIn(board.machine, bels)


class Shell(Elaboratable):
    """All that stands between the board's pins."""

    def __init__(self, board: Board):
        self.board = board

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        board = self.board
        crystal = platform.request(platform.default_clk, dir="-")
        m.submodules.crystal = clock = io.Buffer("i", crystal)
        m.submodules.clock = Clock(board.pll, clock.i, board.part_name)
        line = platform.request(board.uart, 0, dir={"rx": "-", "tx": "-"})
        m.submodules.rx = rx = io.Buffer("i", line.rx)
        m.submodules.tx = tx = io.Buffer("o", line.tx)
        m.submodules.top = inside = top(board)
        m.submodules.synchronizer = FFSynchronizer(rx.i, inside.rx, init=1)
        m.d.comb += tx.o.eq(inside.tx)
        return m
