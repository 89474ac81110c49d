# SPDX-License-Identifier: Apache-2.0
"""What the link takes, as it was measured."""

from dataclasses import replace

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.links import FAMILIES, stored
from antevolt.boards.model import link, needed


def test_keeping_frames_takes_cells() -> None:
    found = stored()
    assert set(found) == set(FAMILIES)
    for both in found.values():
        back, selective = both["going back"], both["selective"]
        assert back.luts < selective.luts
        assert back.ffs < selective.ffs
        assert back.rams == selective.rams


def test_every_preset_keeps_frames() -> None:
    assert all(board.link().selective for board in BOARDS.values())
    board = BOARDS["tang-nano-20k"]
    small = replace(board, selective=False)
    assert not small.link().selective
    assert needed(small).luts < needed(board).luts


def test_the_model_knows_of_it() -> None:
    for family, both in stored().items():
        more = link(family, selective=True) - link(family)
        assert more.luts == both["selective"].luts - both["going back"].luts > 0
        assert more.ffs == both["selective"].ffs - both["going back"].ffs > 0
