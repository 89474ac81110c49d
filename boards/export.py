# SPDX-License-Identifier: Apache-2.0
"""A project for a vendor's tool: sources, constraints and script, as Amaranth writes them."""

from pathlib import Path

from antevolt.boards.board import Board
from antevolt.boards.build import identify

__all__ = ["export"]


def export(board: Board, out: Path) -> list[Path]:
    """Write the project into `out`; returns its files. `build_top.sh` there runs the tool."""
    name, _ = identify(board)
    plan = board.open_platform().prepare(board.design(int(name, 16)), name="top")
    files = []
    for file, data in plan.files.items():
        target = out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        files.append(target)
    return files
