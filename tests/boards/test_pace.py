# SPDX-License-Identifier: Apache-2.0
"""The clock that is foretold: a law that is known comes back, and what is unknown is said to be."""

from dataclasses import replace
from math import sqrt

import pytest

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.model import needed
from antevolt.boards.pace import Clock, expected, others
from antevolt.boards.results import builds

BOARD = BOARDS["ulx3s-85f"]


def test_a_law_comes_back() -> None:
    def clock(ffs: int) -> Clock:
        return Clock("some", ffs, 1e3 / (3.0 + 0.02 * sqrt(ffs)))

    known = [clock(n) for n in (9_000, 20_000, 45_000)]
    foretold = expected(BOARD, known)
    assert foretold == pytest.approx(clock(needed(BOARD).ffs).megahertz)


def test_larger_cores_are_slower() -> None:
    known = [Clock("one", 15_000, 160.0), Clock("two", 60_000, 110.0)]
    larger = replace(BOARD, machine=replace(BOARD.machine, rows=12))
    small, large = expected(BOARD, known), expected(larger, known)
    assert small is not None
    assert large is not None
    assert large < small


def test_no_core_is_faster_because_it_is_larger() -> None:
    known = [Clock("one", 15_000, 150.0), Clock("two", 20_000, 160.0)]
    assert expected(BOARD, known) == pytest.approx(2 / (1 / 150 + 1 / 160))


def test_cores_of_one_size_foretell_nothing() -> None:
    known = [Clock("one", 15_000, 160.0), Clock("two", 15_000, 158.0)]
    assert expected(BOARD, known) is None
    assert expected(BOARD, []) is None


def test_a_board_is_not_foretold_from_itself() -> None:
    placed = [board for board, _ in builds(BOARDS.values()) if board.part.architecture == "ecp5"]
    assert placed
    for board in placed:
        names = {clock.board for clock in others(board)}
        assert names == {other.name for other in placed} - {board.name}
