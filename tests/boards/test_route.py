# SPDX-License-Identifier: Apache-2.0
"""The whole way to a bitstream with the real tools, for ECP5, iCE40 and Gowin.

Between the pins stands a wire instead of a core, so that it takes seconds; clock, pins, place and
route, and packing are those of a build.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.boards import shell
from antevolt.boards.build import build
from antevolt.boards.catalogue import BOARDS
from antevolt.hdl.lib.registers import delay
from antevolt.sim import cache

FIRST = {"ulx3s-12f": b"\xff\x00", "icebreaker": b"\xff\x00", "tang-nano-20k": b"1111"}


class Wire(wiring.Component):
    """What comes in goes out, some cycles later."""

    rx: Any
    tx: Any
    restart: Any

    def __init__(self, machine: Any, link: Any, apart: bool):
        line = {"rx": In(1, init=1), "tx": Out(1, init=1)}
        super().__init__({**line, **({"restart": Out(1)} if apart else {})})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.tx.eq(delay(m, self.rx, 3, "way", keep=True, init=True))
        return m


@pytest.mark.parametrize("name", FIRST)
def test_a_bitstream_with_the_presets_clock(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nextpnr derives the core's clock from the loop's settings: it must be the preset's."""
    monkeypatch.setattr(cache, "folder_of", lambda kind: tmp_path / kind)
    monkeypatch.setattr(shell, "Top", Wire)
    board = replace(BOARDS[name], hostless=False)  # a wire does fit
    stages: list[str] = []
    result, folder = build(board, (1,), lambda stage, line: stages.append(stage), anyway=True)
    assert dict.fromkeys(stages) == dict.fromkeys(
        ("elaborate", "synthesise", "place and route, seed 1", "pack")
    )
    assert result.target == pytest.approx(board.hz / 1e6, rel=0.05)
    assert any(c.target == pytest.approx(board.pll.hz / 1e6, rel=0.01) for c in result.clocks)
    assert result.bitstream is not None
    assert (folder / result.bitstream).read_bytes().startswith(FIRST[name])
    assert (folder / "nextpnr-1.log").read_text()
