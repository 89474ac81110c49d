# SPDX-License-Identifier: Apache-2.0
"""A board's design: clock, serial line and the top level between them."""

from typing import Any

from amaranth.hdl import ClockDomain, Const, Elaboratable, Instance, Module, ResetSignal
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer

from antevolt.boards.board import Board
from antevolt.boards.clock import Clock
from antevolt.hdl.top import Top

__all__ = ["Shell", "clocked"]

AT_PAD = ("iCE40UP5K",)
"""Parts whose loop sits at the clock's pin, and takes it over."""


def clocked(board: Board, platform: Any) -> Module:
    """A module with the domain `sync`, out of the board's oscillator; and `link`, where the link
    has a clock of its own."""
    m = Module()
    divide = board.divide if board.linked else 1
    m.domains += ClockDomain("sync")
    if divide > 1:
        m.domains += ClockDomain("link")
    crystal = platform.request(platform.default_clk, dir="-")
    if board.part_name in AT_PAD:
        reference = crystal.io
    else:
        m.submodules.crystal = clock = io.Buffer("i", crystal)
        reference = clock.i
    m.submodules.clock = Clock(board.pll, reference, board.part_name, divide)
    return m


class Shell(Elaboratable):
    """All that stands between a board's pins; `build` is its id, which HELLO tells the host."""

    def __init__(self, board: Board, build: int = 0):
        self.board, self.build = board, build

    def elaborate(self, platform: Any) -> Module:
        board = self.board
        m = clocked(board, platform)
        wires = {wire.name: "-" for wire in platform.lookup(board.uart, 0).ios}
        line = platform.request(board.uart, 0, dir=wires)
        m.submodules.rx = rx = io.Buffer("i", line.rx)
        m.submodules.tx = tx = io.Buffer("o", line.tx)
        apart = board.divide > 1
        link = board.link(self.build)
        m.submodules.top = top = Top(board.machine, link, apart)
        domain = "link" if apart else "sync"
        m.submodules.synchronizer = FFSynchronizer(rx.i, top.rx, init=1, o_domain=domain)
        if apart:  # thousands of registers hear it: a wire of the clocks' network
            m.submodules.wide = Instance(
                "DCCA", i_CLKI=top.restart, i_CE=Const(1, 1), o_CLKO=ResetSignal()
            )
        m.d.comb += tx.o.eq(top.tx)
        return m
