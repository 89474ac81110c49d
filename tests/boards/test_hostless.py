# SPDX-License-Identifier: Apache-2.0
"""Boards without room for the link: what is built for them, what is said, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from refused import refusal

import antevolt as package
from antevolt.boards.board import Board
from antevolt.boards.build import check, foresee, prepare
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.demonstration import NETWORK, TEACHER, demonstrated
from antevolt.boards.estimate import estimate
from antevolt.boards.model import needed, predict, sealed
from antevolt.boards.sealed import stored
from antevolt.boards.standalone import Standalone
from antevolt.hdl.lagged import GOOD, samples
from antevolt.hdl.spec.network import write
from antevolt.host.cli import antevolt, main

HOSTLESS = [board for board in BOARDS.values() if board.hostless]
EACH = pytest.mark.parametrize("board", HOSTLESS, ids=lambda board: board.name)


@EACH
def test_it_fits_without_a_host_and_not_with_one(board: Board) -> None:
    check(board, needed(board))
    foresee(board)
    linked = predict(board.machine, board.part.architecture)
    assert linked.slots > board.part.holds.slots


@EACH
def test_the_demonstration_is_learned(board: Board) -> None:
    """On the model, in the words that the board has."""
    x, y = samples(board.machine, 3000)
    with package.open("model", machine=board.machine) as device:
        device.load(NETWORK)
        error = np.abs(np.array(list(device.stream(x, y, learn=True))) - y)
    assert error[-500:].mean() < GOOD < error[:500].mean()


@EACH
def test_the_demonstration_is_built_for_it(board: Board) -> None:
    target = demonstrated(board)
    assert isinstance(target, Standalone)
    assert target.told["teacher"] == TEACHER
    design = prepare(target)
    assert "uart" not in design.constraints
    assert "led_0" in design.constraints
    other = BOARDS["ulx3s-12f"]
    assert demonstrated(other) is other


@EACH
def test_a_build_without_a_network_says_what_to_do(
    board: Board, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refusal(lambda: board.design())
    assert f"{board.part_name} of {board.name} has no room for the link" in said
    assert "--network, --teacher" in said
    with pytest.raises(SystemExit) as left:
        main(["build", board.name])
    assert left.value.code == 2
    assert said in capsys.readouterr().err


@EACH
def test_the_estimate_has_no_link(board: Board, tmp_path: Path) -> None:
    found = estimate(NETWORK, board)
    assert found.fits
    assert found.speed is not None
    assert (found.speed.link_steps, found.speed.link_load) == (None, None)
    write(tmp_path / "net.json", NETWORK)
    arguments = ["estimate", str(tmp_path / "net.json"), "--board", board.name]
    said = CliRunner().invoke(antevolt, arguments)
    assert said.exit_code == 0
    assert "none: a teacher is built in" in said.output
    plain = " ".join(said.output.split())
    assert "needs are with the demonstration in it; another program takes other cells" in plain
    assert ", with the demonstration in it)" in plain
    told = json.loads(CliRunner().invoke(antevolt, [*arguments, "--json"]).output)
    assert told["speed"]["link_steps"] is None
    assert "demonstration" in told["remark"]
    assert not estimate(NETWORK, BOARDS["ulx3s-12f"]).remark


def test_the_list_tells_them() -> None:
    found = json.loads(CliRunner().invoke(antevolt, ["boards", "--json"]).output)
    assert [one["board"] for one in found if one["hostless"]] == [b.name for b in HOSTLESS]


def test_what_they_take_was_measured() -> None:
    """For each kind of part, on the core that they have; a core that is read has more memories."""
    found = stored()
    assert set(found) == {board.part.architecture for board in HOSTLESS}
    for board in HOSTLESS:
        one = found[board.part.architecture]
        assert one.machine == board.machine
        assert needed(board) == one.usage
        read = predict(board.machine, board.part.architecture, linked=False)
        assert one.usage.rams < read.rams


def test_a_family_that_was_not_measured_is_named() -> None:
    small = BOARDS["ulx3s-12f"].machine
    assert refusal(lambda: sealed(small, "ecp5")).startswith("no core without a host")
