# SPDX-License-Identifier: Apache-2.0
"""What the link takes, as it was measured."""

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.links import FAMILIES, stored
from antevolt.boards.model import link


def test_keeping_frames_takes_cells() -> None:
    found = stored()
    assert set(found) == set(FAMILIES)
    for both in found.values():
        back, selective = both["going back"], both["selective"]
        assert back.luts < selective.luts
        assert back.ffs < selective.ffs
        assert back.rams == selective.rams


def test_parts_that_are_too_small_anyway_go_back() -> None:
    back = {name for name, board in BOARDS.items() if not board.link().selective}
    assert back == {"icebreaker", "ice40-hx8k"}


def test_the_model_knows_of_it() -> None:
    for family, both in stored().items():
        more = link(family, selective=True) - link(family)
        assert more.luts == both["selective"].luts - both["going back"].luts > 0
        assert more.ffs == both["selective"].ffs - both["going back"].ffs > 0
