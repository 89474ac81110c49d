# SPDX-License-Identifier: Apache-2.0
"""The LagLine demo: the task, students side by side, and what both rules reach."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.tasks.lag_chain import (
    DT,
    ETA,
    PERIOD,
    TAU_MIN,
    learn,
    side_by_side,
    square_wave,
    teach,
)
from antevolt.sim.tasks.lagline import command


def test_square_wave() -> None:
    wave = square_wave(2 * PERIOD, np.array([0.0, 0.25]))
    assert wave.shape == (2 * PERIOD, 1, 2)
    np.testing.assert_array_equal(wave[:PERIOD], wave[PERIOD:])
    # Half a period later the sign has changed; a quarter of a period apart are the two columns.
    np.testing.assert_allclose(wave[200:400], -wave[:200], atol=1e-12)
    np.testing.assert_array_equal(wave[: PERIOD - 100, :, 1], wave[100:PERIOD, :, 0])
    assert wave.max() == pytest.approx(1.0)
    # Smoothed with 5 steps: 5 steps from the middle of an edge, erf(1 / sqrt 2) = 0.68 of it.
    assert wave[5, 0, 0] == pytest.approx(0.7287, abs=0.001)


def test_teacher_is_settled() -> None:
    x = square_wave(PERIOD, np.array([0.1]))
    targets = teach(x, 1000)
    np.testing.assert_allclose(targets[-1], targets[-2], rtol=1e-14)
    assert len(teach(x, 3)) == 3


def test_students_are_those_of_a_chain_each() -> None:
    """The first of three students side by side is a 1-1-1 network alone."""
    periods = 2
    student = learn(3, periods, prospective_errors=True).students[0]
    drawn = np.random.default_rng(0).uniform(size=5)
    network, parameters = side_by_side(
        drawn[:2, None], np.maximum(drawn[2:4, None], TAU_MIN), prospective_errors=True
    )
    alone = FloatNetwork(network, parameters, eta_tau=ETA * DT, tau_min=TAU_MIN)
    x = square_wave(PERIOD, drawn[4:])
    for target in teach(x, periods):
        alone.run(x, target)
    for k in range(2):
        assert student.weights[-1, k] == pytest.approx(alone.weights[k][0, 0], rel=1e-12)
        assert student.tau_m[-1, k] == pytest.approx(alone.tau_m[k][0], rel=1e-12)


def test_look_ahead_learns_the_lags_and_instantaneous_errors_do_not() -> None:
    gle = learn(2, 45, prospective_errors=True)
    instantaneous = learn(2, 45, prospective_errors=False)
    # After 180 units of time; the demo goes on to 800.
    assert gle.reached(1e-3) == 2
    assert all(s.final_loss > 8e-3 for s in instantaneous.students)
    for mine, other in zip(gle.students, instantaneous.students, strict=True):
        np.testing.assert_array_equal(mine.weights[0], other.weights[0])
        np.testing.assert_array_equal(mine.tau_m[0], other.tau_m[0])
        # Instantaneous errors drive the first weight below zero.
        assert other.weights[-1, 0] < 0 < mine.weights[-1, 0]
        reached = mine.time_to(1e-2)
        assert reached is not None
        assert reached <= 48
    assert gle.students[0].time_to(0.0) is None


def test_nothing_to_do_is_refused() -> None:
    with pytest.raises(BadInput, match="0 seeds"):
        learn(0, 1, prospective_errors=True)


def test_command(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    result = CliRunner().invoke(command, ["--out", str(out), "--seeds", "2", "--periods", "2"])
    assert result.exit_code == 0, result.output
    assert "GLE: median loss" in result.output
    assert (out / "lagline.png").read_bytes().startswith(b"\x89PNG")
    result = CliRunner().invoke(
        command, ["--out", str(out), "--seeds", "1", "--periods", "1", "--json"]
    )
    report = json.loads(result.stdout)
    assert [rule["rule"] for rule in report["rules"]] == ["GLE", "instantaneous"]
    assert report["steps"] == PERIOD


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadFile, match="cannot make the folder"):
        command.main(["--out", str(tmp_path / "file" / "folder")], standalone_mode=False)
