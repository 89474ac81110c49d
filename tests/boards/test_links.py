# SPDX-License-Identifier: Apache-2.0
"""What the link takes, as it was measured."""

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.links import FAMILIES, stored


def test_keeping_frames_takes_cells() -> None:
    found = stored()
    assert set(found) == set(FAMILIES)
    for both in found.values():
        back, selective = both["going back"], both["selective"]
        assert back.luts < selective.luts
        assert back.ffs < selective.ffs
        assert back.rams == selective.rams


def test_small_parts_go_back() -> None:
    back = {name for name, board in BOARDS.items() if not board.link().selective}
    assert back == {"tang-nano-9k", "icebreaker", "ice40-hx8k"}
