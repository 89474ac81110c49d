# SPDX-License-Identifier: Apache-2.0
"""Which boards `make fit` passes over."""

from dataclasses import replace

import pytest

from antevolt.boards import all as everything
from antevolt.boards.board import Board
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.place import NATIVE
from antevolt.boards.results import builds, stored

PLACED = [board for board, _ in builds(BOARDS.values())]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """No board has a design in it that nobody would elaborate here."""
    monkeypatch.setattr(everything, "demonstrated", lambda board: board)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, str] | None]:
    """By board: the nextpnr asked for. The sources make of each what its record was made from."""
    found: dict[str, tuple[str, str] | None] = {}

    def identify(board: Board, own: tuple[str, str] | None = None) -> tuple[str, dict[str, str]]:
        found[board.name] = own
        record = stored(board)
        assert record is not None
        return record.id, record.tools

    monkeypatch.setattr(everything, "identify", identify)
    return found


@pytest.mark.parametrize("board", PLACED, ids=lambda board: board.name)
def test_a_record_of_these_sources_is_passed_over(
    board: Board, asked: dict[str, tuple[str, str] | None]
) -> None:
    record = stored(board)
    assert record is not None
    seeds = len(record.seeds) + len(record.stopped)
    assert everything.current(board, seeds)
    tool = NATIVE[board.part.family]
    assert asked[board.name] == ((tool, record.tools[tool]) if tool in record.tools else None)
    assert not everything.current(board, seeds + 1)


def test_a_record_of_other_sources_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "identify", lambda board, own: ("0" * 16, {}))
    assert not any(everything.current(board, 1) for board in PLACED)


def test_a_board_without_a_record_is_not() -> None:
    assert not everything.current(replace(PLACED[0], name="of-nobody"), 1)
