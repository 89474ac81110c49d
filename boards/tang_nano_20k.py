# SPDX-License-Identifier: Apache-2.0
"""Sipeed Tang Nano 20K (GW2AR-18); its debugger has a serial port."""

from antevolt.boards.board import Board
from antevolt.hdl.spec.machine import Machine

__all__ = ["BOARD"]

BOARD = Board(
    name="tang-nano-20k",
    title="Tang Nano 20K",
    part_name="GW2AR-18C",
    platform="antevolt.boards.tang_nano_20k_platform:TangNano20kPlatform",
    crystal=27e6,
    machine=Machine(rows=2, sums=False, spacing=8, saturations=False),
    hz=54e6,
    baud=2_000_000,
    loader="tangnano20k",
    lacks=(
        "moments (plain gradient descent only), sums of outputs, learned time constants, "
        "counters of saturations"
    ),
)
