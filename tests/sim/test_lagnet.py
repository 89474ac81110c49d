# SPDX-License-Identifier: Apache-2.0
"""The LagNet demo, short: what it reports and when it fails. The demo itself proves its claims."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.tasks import lagnet, lagnet_command, lagnet_figure
from antevolt.sim.tasks.lagnet import ETA, RATES, TEACHER, Run, differing_bits, learn, signals
from antevolt.sim.tasks.lagnet_command import Outcome, command

STEPS, LEARN_FROM = 300, 130  # learning starts between two looks at the weights


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (lagnet, lagnet_command, lagnet_figure):
        monkeypatch.setattr(module, "LEARN_FROM", LEARN_FROM)
    monkeypatch.setattr(lagnet_command, "STEPS", STEPS)


def run(steps: int = STEPS, seed: int = 0, prospective_errors: bool = True) -> Run:
    return learn("model", seed, ETA, prospective_errors, steps)


def test_signals() -> None:
    x, y = signals(50)
    time = 0.01 * np.arange(50)
    np.testing.assert_allclose(
        x[:, 0], np.sin(0.49 * time) + np.sin(1.07 * time) + np.sin(1.98 * time)
    )
    # The first neuron of each hidden population has no lag: tanh(0.5 tanh(-0.5 x)) at once. The
    # second sees a tenth of its drive at once, twice over, and more as time goes by.
    fast = 0.5 * np.tanh(0.5 * np.tanh(-0.5 * x[1, 0]))
    assert y[0, 0] == 0
    assert y[1, 0] == pytest.approx(fast + 0.01 * x[1, 0], abs=1e-4)


def test_run() -> None:
    found = run()
    start = np.random.default_rng(0).uniform(-1, 1, 2)
    before = found.looked <= LEARN_FROM
    np.testing.assert_array_equal(found.looked, [0, 100, 130, 200, 300])
    np.testing.assert_allclose(found.weights[before], start + np.zeros((3, 2)), atol=2.0**-16)
    assert (found.weights[3:] != found.weights[2]).all()
    assert np.isfinite(found.outputs).all()
    assert found.outputs.shape == (STEPS,)
    assert np.isfinite(found.loss)
    # The same run in floating point, to the resolution of the fixed-point words.
    x, y = signals(STEPS)
    student = FloatNetwork(
        lagnet.network(ETA, True),
        {**TEACHER, "0.weight": start[:, None]},
        learn_from=LEARN_FROM,
    )
    outputs = student.run(x, y).out[:, 0]
    np.testing.assert_allclose(found.outputs, outputs, atol=0.002)
    np.testing.assert_allclose(found.weights[-1], student.weights[0][:, 0], atol=0.01)
    np.testing.assert_array_equal(found.state["projection.1.weight"], TEACHER["1.weight"])


def test_cycles_and_slots() -> None:
    found = run()
    assert found.cycles == found.cycles_compiled
    learning = STEPS - LEARN_FROM
    assert found.cycles_learning == learning * found.cycles_per_step < found.cycles
    # w r of 2 + 4 + 2 synapses, w e of 4 + 2, e r of 2; two products in a cycle.
    assert found.slot_use == 16 / (2 * found.cycles_per_step)


def test_rules_differ_and_bits_are_counted() -> None:
    gle, again, other = run(), run(), run(prospective_errors=False)
    assert differing_bits(gle, again) == 0
    assert (gle.weights[-1] != other.weights[-1]).any()
    assert differing_bits(gle, other) > 0
    outputs = gle.outputs.copy()
    outputs[7] += lagnet.CORE.formats.r.lsb * (1 if gle.outputs[7] == 0 else 2)
    assert differing_bits(gle, replace(gle, outputs=outputs)) > 0
    state = {**gle.state, "population.1.u.raw": gle.state["population.1.u.raw"] ^ 1}
    assert differing_bits(gle, replace(gle, state=state)) == 2


def test_claims() -> None:
    """Each claim that is missed is named, and none else."""
    poor = run(steps=LEARN_FROM)
    weights = np.vstack([poor.weights[:-1], TEACHER["0.weight"][:, 0] + 0.019])
    good = replace(poor, weights=weights)
    assert Outcome((good,), (poor,), 0).failures == []
    assert Outcome((good,), (poor,), None).failures == []
    for outcome, text in (
        (Outcome((poor,), (poor,), 0), "GLE, seed 0: weight error"),
        (Outcome((good,), (poor, good), 0), "instantaneous errors, seed 0"),
        (Outcome((good,), (poor,), 3), "3 bits differ"),
        (Outcome((replace(good, cycles=1),), (poor,), 0), "1 cycles, by the compiler"),
    ):
        (failure,) = outcome.failures
        assert text in failure


def test_command(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    arguments = ["--device", "model", "--seeds", "1", "--out", str(out)]
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 1, result.output  # nothing is recovered in so few steps
    report = json.loads(result.stdout)
    assert report == json.loads((out / "lagnet.json").read_text())
    assert (out / "lagnet.png").read_bytes().startswith(b"\x89PNG")
    assert set(report) == {
        *("device", "core", "steps", "learn_from", "rates_tried", "rows", "tried", "failures"),
    }
    assert [row["rule"] for row in report["rows"]] == ["GLE", "instantaneous"]
    assert [row["eta"] for row in report["tried"]] == list(RATES)
    for row in (*report["rows"], *report["tried"]):
        numbers = ("eta", "loss", "weight_error", "steps_per_second", "cycles_per_step", "slot_use")
        assert all(np.isfinite(row[name]) for name in numbers)
        assert np.shape(row["weights"]) == (2,)
        assert row["saturations"] == 0
        assert row["differing_bits"] is None  # the device is the model itself
    assert "GLE, seed 0: weight error" in report["failures"][0]
    text = CliRunner().invoke(command, arguments)
    assert text.exit_code == 1
    assert "MISSED: GLE, seed 0" in text.stdout
    assert "GLE: 0 of 1 students" in text.stdout
    assert "lagnet.png" in text.stdout


def test_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadFile, match="cannot make the folder"):
        command.main(["--out", str(tmp_path / "file" / "folder")], standalone_mode=False)
