# SPDX-License-Identifier: Apache-2.0
"""`--device float`: close to the core at first, resumed to the bit, on every task."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file, save_file

from antevolt.hdl.spec.errors import BadFile, BadInput, BuildFailed
from antevolt.sim.golden import floats
from antevolt.sim.tasks import lagline_task, mackey_glass, mnist1d
from antevolt.sim.tasks.float_core import FloatCore, open_core
from antevolt.sim.tasks.mnist1d import MNIST1D
from antevolt.sim.tasks.mnist1d_data import LENGTH
from antevolt.sim.tasks.run import compare, learn

SHORT = mnist1d.Settings(
    epochs=2, hidden=(18, 18), train=400, valid=100, test=50, every=1, eta=2.0**-7
)
FLOAT = replace(SHORT, device="float")
TASKS = {
    "lagline": (lagline_task.LAGLINE, lagline_task.Settings(epochs=3, periods=5)),
    "mackey-glass": (mackey_glass.MACKEY_GLASS, mackey_glass.Settings(epochs=2)),
}


def run(settings: mnist1d.Settings, sequences: int) -> tuple[Any, Any]:
    """Outputs, and the state after the first sequences of every stream."""
    samples = MNIST1D.samples(settings, 0, 0).head(sequences * LENGTH)
    with open_core(settings.device, MNIST1D.machine(settings)) as core:
        core.load(MNIST1D.network(settings, 0), MNIST1D.start(settings, 0))
        core.set_eta(None, settings.eta)
        found = core.stream(samples.x, samples.y, True, first=samples.first)
        return np.array(list(found)), core.state_dict()


def test_follows_the_core() -> None:
    """Outputs before the first change differ by roundings; changes have nearly all the same sign.

    A weight whose momentum is nearly zero goes the other way, and then by two rates.
    """
    outputs, _ = run(SHORT, 1)
    exact, _ = run(FLOAT, 1)
    assert np.abs(outputs - exact).max() < 2e-3
    start = MNIST1D.start(SHORT, 0)
    for sequences, least in ((1, 0.97), (5, 0.9)):
        one, other = run(SHORT, sequences)[1], run(FLOAT, sequences)[1]
        for k in range(3):
            name = f"projection.{k}.weight"
            near = np.abs(one[name] - other[name]) < SHORT.eta / 8
            assert near.mean() > least, (name, sequences, near.mean())
            moved = np.abs(other[name] - start[f"{k}.weight"]).max()
            assert moved == pytest.approx(sequences * SHORT.eta)


def test_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """Equal in every bit to a run that was never left; it learns about as well as the core."""
    folders = [tmp_path / name for name in ("whole", "parts", "core")]
    for folder in folders:
        folder.mkdir()
    whole = learn(MNIST1D, FLOAT, 0, folders[0])

    def at_the_first(epochs: int) -> None:
        if epochs:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        learn(MNIST1D, FLOAT, 0, folders[1], at_the_first)
    parts = learn(MNIST1D, FLOAT, 0, folders[1])
    states = [load_file(folder / "seed-0-2.safetensors") for folder in folders[:2]]
    assert set(states[0]) == set(states[1])
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])
    assert parts["test"] == whole["test"]
    assert whole["implementation"] == "float64, compiled"
    assert whole["epochs"][0]["counters"]["steps"] == SHORT.steps
    of_core = learn(MNIST1D, SHORT, 0, folders[2])
    for name in ("train", "valid"):
        ends = [record["epochs"][0][name] for record in (whole, of_core)]
        assert abs(ends[0] - ends[1]) < 0.1
    assert [e["eta"] for e in whole["epochs"]] == [e["eta"] for e in of_core["epochs"]]


@pytest.mark.parametrize("name", TASKS)
def test_other_tasks(name: str, tmp_path: Path) -> None:
    task, settings = TASKS[name]
    found = []
    for device in ("float", "model"):
        folder = tmp_path / device
        folder.mkdir()
        found.append(learn(task, replace(settings, device=device), 0, folder))
    tests = [record["test"] for record in found]
    assert tests[0] == pytest.approx(tests[1], rel=0.1)


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """numpy does it, with results that differ in the last digits."""
    fast, state = run(FLOAT, 1)

    def none(*_: Any, **__: Any) -> None:
        raise BuildFailed("there is no C++ compiler")

    monkeypatch.setattr(floats, "floats", none)
    slow, other = run(FLOAT, 1)
    assert np.abs(fast - slow).max() < 1e-10
    assert set(state) == set(other)


def test_what_it_is_not_for(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no bits in common"):
        compare(MNIST1D, FLOAT, 0, 10)
    with pytest.raises(BadInput, match="cosines"):
        mnist1d.Settings.of(device="float", cosines=True)
    help_text = CliRunner().invoke(mnist1d.command, ["--help"]).output
    assert "float64" in help_text


def test_foreign_files(tmp_path: Path) -> None:
    core = FloatCore(MNIST1D.machine(FLOAT))
    with pytest.raises(BadInput, match="no network"):
        core.counters()
    core.load(MNIST1D.network(FLOAT, 0))
    path = tmp_path / "state.safetensors"
    path.write_bytes(b"no file of this kind")
    with pytest.raises(BadFile, match="not a whole"):
        core.restore(path)
    save_file({"a": np.zeros(1)}, path)
    with pytest.raises(BadFile, match="not a state"):
        core.restore(path)
    core.save(path)
    other = FloatCore(MNIST1D.machine(replace(FLOAT, streams=3)))
    other.load(MNIST1D.network(FLOAT, 0))
    with pytest.raises(BadFile, match="so many streams"):
        other.restore(path)
    core.restore(path)
