# SPDX-License-Identifier: Apache-2.0
"""A project for a vendor's tool: sources, constraints and script, as Amaranth writes them."""

from pathlib import Path

from antevolt.boards.board import Board
from antevolt.boards.build import identify
from antevolt.host.files import make_folder, write_whole

__all__ = ["export"]


def export(board: Board, out: Path) -> list[Path]:
    """Write the project into `out`; returns its files. `build_top.sh` there runs the tool."""
    name, _ = identify(board)
    plan = board.open_platform().prepare(board.design(int(name, 16)), name="top")
    files = []
    for file, data in plan.files.items():
        target = out / file
        make_folder(target.parent)
        write_whole(target, data)
        files.append(target)
    return files
