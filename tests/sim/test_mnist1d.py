# SPDX-License-Identifier: Apache-2.0
"""The task MNIST-1D, short: that it learns, keeps its records and goes on where it was left."""

import json
import random
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from antevolt.boards.catalogue import BOARDS
from antevolt.hdl.spec.errors import BadFile, BadInput, DoesNotFit
from antevolt.host.device import open as open_device
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.tasks import mnist1d, mnist1d_data
from antevolt.sim.tasks.mnist1d import (
    MNIST1D,
    Settings,
    command,
    machine,
    network,
)
from antevolt.sim.tasks.mnist1d_cosine import cosines
from antevolt.sim.tasks.mnist1d_data import (
    CLASSES,
    LENGTH,
    fresh_split,
    test_split,
    train_split,
    valid_split,
)
from antevolt.sim.tasks.pieces import NEVER
from antevolt.sim.tasks.run import compare, learn

SHORT = Settings(epochs=2, hidden=(18, 18), train=400, valid=100, test=50, every=1, eta=2.0**-7)
ARGUMENTS = ["--epochs=2", "--hidden=18,18", "--train=400", "--valid=100", "--test=50", "--every=1"]
ARGUMENTS += ["--eta", str(SHORT.eta)]

test_split.__test__ = False  # type: ignore[attr-defined]  # is no test


def test_splits() -> None:
    """Of the package's sizes, normalised, of different sequences; global generators are kept."""
    np.random.seed(3)
    random.seed(3)
    expected = np.random.rand(), random.random()
    np.random.seed(3)
    random.seed(3)
    mnist1d_data._generate.cache_clear()
    splits = train_split(), valid_split(), test_split(), fresh_split()
    assert (np.random.rand(), random.random()) == expected
    assert [len(split) for split in splits] == [4000, 2000, 1000, 10_000]
    for split in splits:
        assert split.x.shape == (len(split), LENGTH)
        assert set(split.y.tolist()) == set(range(CLASSES))
        assert abs(split.x.mean()) < 0.03
        assert abs(split.x.std() - 1) < 0.03
    rows = [row.tobytes() for split in splits for row in split.x]
    assert len(set(rows)) == len(rows)


def test_cosines_of_the_gradients() -> None:
    """1 where the rule is exact; what is measured leaves the core as it was."""
    settings = replace(SHORT, streams=16)
    with open_device("model", machine=machine(settings)) as core:
        core.load(network(settings, 0), MNIST1D.start(settings, 0))
        before = core.state_dict()
        found = cosines(core, valid_split())
        after = core.state_dict()
    assert all(np.array_equal(after[name], before[name]) for name in before)
    assert len(found) == 3
    assert found[-1] > 0.999  # an instantaneous output
    assert found[-2] > 0.99  # and `trace` below it
    assert 0 < found[0] < 1


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mnist1d.data", None)
    mnist1d_data._generate.cache_clear()
    with pytest.raises(BadInput, match=r"pip install -e '\.\[tasks\]' in the clone"):
        train_split()


def test_network() -> None:
    net = network(Settings(), 0)
    assert net.weight_count == 14_956
    assert net.sizes == (1, 53, 53, 53, 53, 53, 53, 10)
    assert net.populations[0].time_constants == ((2.0, 1.0), (4.0, 1.0), (NEVER, NEVER))
    assert np.abs(MNIST1D.start(Settings(), 0)["3.weight"]).max() == pytest.approx(
        1.7 / np.sqrt(53), rel=1e-2
    )
    assert machine(replace(Settings(), optimizer="adam")).moments == 2
    limited = network(Settings.of(rule="gle", kappa=1.1), 0).populations[3]
    assert limited.kappa == (1.1,) * 36 + (1.0,) * 17  # instantaneous neurons stay so
    assert network(Settings.of(tau_z=0.0), 0).tau_z is None
    with pytest.raises(BadInput, match="kappa is for rule gle"):
        Settings.of(kappa=1.1)
    assert Settings().first(3).nonzero()[0].tolist() == [0, LENGTH, 2 * LENGTH]
    assert replace(Settings(), reset=False).first(3).nonzero()[0].tolist() == [0]
    rates = [Settings().eta_of(epoch) for epoch in range(100)]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == pytest.approx(1e-3, rel=1e-3)
    assert rates[-1] < 1e-6


def test_learns_and_goes_on_where_it_was_left(tmp_path: Path) -> None:
    """In one go, and in two with another run in between: equal in every bit, and above chance."""
    folders = [tmp_path / name for name in ("whole", "parts", "none")]
    for folder in folders:
        folder.mkdir()
    told: list[int] = []
    whole = learn(MNIST1D, SHORT, 0, folders[0], told.append)
    assert told == [0, 1, 1]
    assert [e["epoch"] for e in whole["epochs"]] == [1, 2]
    assert whole["test"] > 0.16
    assert whole["epochs"][-1]["valid"] > 0.16
    assert whole["epochs"][0]["counters"]["steps"] == SHORT.steps
    nothing = learn(MNIST1D, SHORT, 0, folders[2], until=time.monotonic() - 1)
    assert nothing["epochs"] == []

    def at_the_first(epochs: int) -> None:
        if epochs:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        learn(MNIST1D, SHORT, 0, folders[1], at_the_first)
    kept = json.loads((folders[1] / "seed-0.json").read_text())
    assert len(kept["epochs"]) == 1
    assert kept["test"] is None
    parts = learn(MNIST1D, SHORT, 0, folders[1])
    names = [{p.name for p in folder.iterdir()} for folder in folders]
    assert names == [{"seed-0.json", "seed-0-2.safetensors"}] * 2 + [set()]
    states = [load_file(folder / "seed-0-2.safetensors") for folder in folders[:2]]
    assert set(states[0]) == set(states[1])
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])
    for record in (whole, parts):
        for epoch in record["epochs"]:
            del epoch["seconds"]
    assert parts["epochs"] == whole["epochs"]
    assert parts["test"] == whole["test"]
    assert learn(MNIST1D, SHORT, 0, folders[1])["test"] == whole["test"]  # is done


def test_contexts_change_no_result(tmp_path: Path) -> None:
    """A core of fewer columns comes to the same figures and the same bits."""
    found = []
    for contexts in (1, 4):
        folder = tmp_path / str(contexts)
        folder.mkdir()
        settings = replace(SHORT, epochs=1, train=160, contexts=contexts)
        assert machine(settings).streams == SHORT.streams // contexts
        record = learn(MNIST1D, settings, 0, folder)
        state = load_file(folder / record["checkpoint"])
        weights = [state[name] for name in sorted(state) if name.endswith((".weight", ".moment"))]
        found.append((record["epochs"][0]["valid"], record["test"], np.concatenate(weights, None)))
    assert found[0][:2] == found[1][:2]
    np.testing.assert_array_equal(found[0][2], found[1][2])
    with pytest.raises(BadInput, match="15 streams are no multiple of 2 contexts"):
        replace(SHORT, streams=15, contexts=2)


def test_on_the_core_of_a_board(tmp_path: Path) -> None:
    """Its preset, whatever rows are asked for; what that does not have is said before a run."""
    core = BOARDS["ulx3s-85f"].machine
    chosen = {"board": "ulx3s-85f", "streams": 14, "rule": "gle", "optimizer": "sign_sum"}
    settings = replace(SHORT, epochs=1, train=140, valid=42, test=42, **chosen)
    assert machine(settings) == core
    record = learn(MNIST1D, settings, 0, tmp_path)
    assert record["epochs"][0]["counters"]["steps"] == settings.steps == 10 * LENGTH
    with pytest.raises(BadInput, match="14 streams .* give --streams 14 --word 18"):
        replace(settings, streams=16)
    with pytest.raises(DoesNotFit, match="moments"):
        learn(MNIST1D, replace(settings, optimizer="sign"), 0, tmp_path / "sign")


def test_records_of_others_are_refused(tmp_path: Path) -> None:
    learn(MNIST1D, replace(SHORT, train=32), 0, tmp_path)
    with pytest.raises(BadInput, match="other settings"):
        learn(MNIST1D, SHORT, 0, tmp_path)
    (tmp_path / "seed-0.json").write_text("{")
    with pytest.raises(BadFile, match="remove it to start anew"):
        learn(MNIST1D, SHORT, 0, tmp_path)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not begun for want of time, then done by the same command."""
    out = tmp_path / "new" / "folder"
    arguments = [*ARGUMENTS, "--train=64", "--seeds=0,1", "--jobs=2", "--out", str(out)]
    left = CliRunner().invoke(command, [*arguments, "--deadline=0"])
    assert left.exit_code == 0, left.output
    assert "not finished" in left.stdout
    done = CliRunner().invoke(command, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report == json.loads((out / "mnist1d.json").read_text())
    assert (out / "mnist1d.png").read_bytes().startswith(b"\x89PNG")
    assert report["seeds"] == [0, 1]
    assert report["finished"]
    tests = [run["test"] for run in report["runs"]]
    assert report["mean_test"] == pytest.approx(np.mean(tests))
    assert "mean_fresh" not in report
    commit = json.loads((out / "seed-0.json").read_text())["commit"]
    monkeypatch.setattr(mnist1d, "fresh_split", lambda _: valid_split().head(60))  # of 10,000
    more = CliRunner().invoke(command, [*arguments, "--json", "--fresh"])
    assert more.exit_code == 0, more.output
    runs = json.loads(more.stdout)["runs"]
    assert all(0 < run["fresh"] < 1 and run["commit"] == commit for run in runs)
    assert [run["test"] for run in runs] == tests
    again = CliRunner().invoke(command, arguments)
    assert again.exit_code == 0, again.output
    assert "mean of 2 seeds after 2 epochs" in again.stdout


@pytest.mark.parametrize("seeds", ["a", "-1", "", "0,,1"])
def test_wrong_seeds(seeds: str) -> None:
    result = CliRunner().invoke(command, [f"--seeds={seeds}"])
    assert result.exit_code == 2
    assert "--seeds" in result.output


def test_too_few_sequences() -> None:
    with pytest.raises(BadInput, match="do not fill"):
        Settings.of(train=5)


def test_scaled_rates() -> None:
    """The same network, smaller: inputs, biases and logits, as if words were longer."""
    small, usual = replace(SHORT, r_max=0.5), replace(SHORT, r_max=1.0)
    assert MNIST1D.samples(small, 0, 0).x == pytest.approx(MNIST1D.samples(usual, 0, 0).x / 2)
    drawn = [MNIST1D.start(settings, 0) for settings in (small, usual)]
    assert (drawn[0]["2.weight"] == drawn[1]["2.weight"]).all()
    assert (drawn[0]["2.bias"] == drawn[1]["2.bias"] / 2).all()
    networks = [network(settings, 0) for settings in (small, usual)]
    assert networks[0].softmax_gain == 2 * networks[1].softmax_gain
    x = MNIST1D.samples(small, 0, 0).x[:72]
    first = small.first(1)
    outs = [
        FloatNetwork(own, start, streams=small.streams).predict(x * scale, first=first)
        for own, start, scale in zip(networks, drawn, (1, 2), strict=True)
    ]
    assert outs[0] == pytest.approx(outs[1] / 2, abs=1e-12)


def test_longer_sequences() -> None:
    """Interpolated; what is counted in steps follows."""
    long = replace(SHORT, length=360, streams=100)
    assert valid_split(360).x.shape == (2000, 360)
    assert valid_split(360).y.tolist() == valid_split().y.tolist()
    assert network(long, 0).apply_every == 360
    assert network(replace(long, every_step=True), 0).apply_every == 1
    assert not machine(long).sums  # too many outputs for a core that sums them up
    samples = MNIST1D.samples(long, 0, 0)
    assert samples.x.shape == (4 * 360, 100, 1)
    assert long.first(2).nonzero()[0].tolist() == [0, 360]
    with pytest.raises(BadInput, match="72 steps"):
        Settings.of(length=360, cosines=True)


def test_older_records_go_on(tmp_path: Path) -> None:
    """Of before a setting existed: it was what is the default now, or what it says of then."""
    older = replace(SHORT, train=32, r_max=1.0)
    learn(MNIST1D, older, 0, tmp_path)
    path = tmp_path / "seed-0.json"
    record = json.loads(path.read_text())
    del record["settings"]["slow"], record["settings"]["r_max"]
    path.write_text(json.dumps(record))
    assert learn(MNIST1D, older, 0, tmp_path) == record
    with pytest.raises(BadInput, match="other settings"):
        learn(MNIST1D, replace(older, r_max=0.5), 0, tmp_path)
    with pytest.raises(BadInput, match="other settings"):
        learn(MNIST1D, replace(older, slow=2.0), 0, tmp_path)


def test_seeds_twice(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--seeds=1,1", "--out", str(tmp_path)])
    assert isinstance(result.exception, BadInput)


def test_numpy_equals_the_compiled_model() -> None:
    """A batch in which the weights change; `--device rtl --compare 72` does it on the netlist."""
    found = compare(MNIST1D, replace(SHORT, device="model:numpy"), 0, LENGTH)
    assert found["differing_bits"] == 0
    assert found["cycles"] == found["cycles_of_the_model"] > 0
    assert found["steps"] == LENGTH
    assert found["words_compared"] > network(SHORT, 0).weight_count
