# SPDX-License-Identifier: Apache-2.0
"""Sipeed Tang Nano 9K (GW1NR-9)."""

from dataclasses import replace

from antevolt.boards.board import Board
from antevolt.boards.presets import ALONE
from antevolt.hdl.spec.formats import Formats

__all__ = ["BOARD"]

BOARD = Board(
    name="tang-nano-9k",
    title="Tang Nano 9K",
    part_name="GW1NR-9C",
    platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
    crystal=27e6,
    machine=replace(
        ALONE,
        w_depth=1024,
        state_depth=128,
        r_depth=128,
        q_depth=128,
        program_depth=128,
        phi_log2=8,
        formats=Formats(),
    ),
    hz=27e6,
    baud=1_000_000,
    loader="tangnano9k",
    lacks="the link to a host, and everything that may be left out",
    hostless=True,
)
