# SPDX-License-Identifier: Apache-2.0
"""All boards by name."""

from importlib import import_module

from antevolt.boards.board import Board
from antevolt.hdl.spec.errors import BadInput

__all__ = ["BOARDS", "board"]

MODULES = (
    "ulx3s_85f",
    "ulx3s_85f_latency",
    "ulx3s_12f",
    "ulx3s_12f_latency",
    "ecpix5_85f",
    "orangecrab_85f",
    "colorlight_i5",
    "tang_nano_20k",
    "tang_nano_9k",
    "icebreaker",
    "ice40_hx8k",
    "arty_a7_35t",
    "arty_a7_100t",
)

BOARDS: dict[str, Board] = {
    found.name: found
    for found in (import_module(f"antevolt.boards.{name}").BOARD for name in MODULES)
}


def board(name: str) -> Board:
    """Raises BadInput for a board that is not here."""
    if name not in BOARDS:
        raise BadInput(f"there is no board {name!r}; there are {', '.join(BOARDS)}")
    return BOARDS[name]
