# SPDX-License-Identifier: Apache-2.0
"""What is said of builds that were placed."""

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.list_command import describe
from antevolt.boards.results import builds, clock


def test_a_clock_says_what_it_leaves_out() -> None:
    found = {board.name: (board, result) for board, result in builds(BOARDS.values())}
    for name, left_out in {"ulx3s-85f": False, "tang-nano-20k": True}.items():
        board, result = found[name]
        said = clock(board, result)
        assert said.startswith(f"{result.median:.1f} MHz")
        assert ("multipliers not timed" in said) == left_out
        assert said in describe(board)["remark"]
