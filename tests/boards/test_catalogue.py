# SPDX-License-Identifier: Apache-2.0
"""Every board: its files agree with each other, with the platform and with the limits."""

import pytest
from refused import refusal

from antevolt.boards.board import Board
from antevolt.boards.catalogue import BOARDS, MODULES, board
from antevolt.boards.clock import Clock
from antevolt.boards.place import Clocked, Placed
from antevolt.boards.pll import LIMITS, find
from antevolt.hdl.lib.family import family
from antevolt.hdl.spec.errors import BadInput

ALL = pytest.mark.parametrize("target", BOARDS.values(), ids=list(BOARDS))


def test_names_are_those_of_the_files() -> None:
    assert [name.replace("-", "_") for name in BOARDS] == list(MODULES)


@ALL
def test_the_platform_has_the_pins_and_the_crystal(target: Board) -> None:
    platform = target.open_platform()
    crystal = platform.lookup(platform.default_clk)
    assert crystal.clock.frequency == target.crystal
    line = {sub.name for sub in platform.lookup(target.uart, 0).ios}
    assert {"rx", "tx"} <= line
    assert family(platform) == {"xilinx": "generic"}.get(
        target.part.architecture, target.part.architecture
    )


@ALL
def test_clock_and_baud_can_be_made(target: Board) -> None:
    pll = target.pll
    assert 0.95 * target.hz <= pll.hz <= target.hz * 1.000001
    link = target.link(7)
    assert (link.clock_hz, link.build) == (round(pll.hz / target.divide), 7)


@ALL
def test_a_preset_says_what_it_leaves_out(target: Board) -> None:
    m, said = target.machine, target.lacks
    for word, present in {
        "softmax": m.softmax,
        "time constants": m.time_constants,
        "moments": m.moments == 2,
        "sums": m.sums,
        "traces": m.traces,
    }.items():
        assert (word in said or "everything" in said) == (not present), word


def test_a_board_that_is_not_here_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="no board 'ulx4s'; there are .*icebreaker"):
        board("ulx4s")


@pytest.mark.parametrize("name", LIMITS)
def test_settings_of_the_loop_stay_inside_the_limits(name: str) -> None:
    limits = LIMITS[name]
    for reference, wanted in ((12e6, 60e6), (25e6, 75e6), (27e6, 54e6), (100e6, 80e6)):
        if name == "xilinx" and reference < 19e6:
            continue
        pll = find(name, reference, wanted)
        behind = 1 if name in ("ecp5", "gowin") else pll.output
        assert pll.hz == pytest.approx(reference / pll.refer * pll.feedback / behind)
        assert limits.inside[0] <= pll.hz * pll.output / 1e6 <= limits.inside[1]
        assert limits.compare[0] <= reference / pll.refer / 1e6 <= limits.compare[1]


def test_a_clock_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(BadInput, match="5000 MHz cannot be made from 25 MHz on ecp5"):
        find("ecp5", 25e6, 5e9)


def test_a_second_clock_is_made_on_an_ecp5_only() -> None:
    said = refusal(lambda: Clock(find("ice40", 12e6, 60e6), None, "iCE40UP5K", divide=2))
    assert "on an ECP5 only, not on ice40" in said


def test_a_link_that_misses_its_clock_is_a_clock_that_is_missed() -> None:
    core = Clocked("sync", 118.0, 112.5)
    slow, fast = (Clocked("link", megahertz, 56.25) for megahertz in (55.0, 60.0))
    assert not Placed(1, (core, slow), None, {}).meets
    assert Placed(1, (core, fast), None, {}).meets
