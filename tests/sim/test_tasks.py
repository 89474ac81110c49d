# SPDX-License-Identifier: Apache-2.0
"""The smaller tasks, short: that they learn, measure what they say, and go on where they were."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.host.cli import task as group
from antevolt.host.device import open as open_device
from antevolt.sim.tasks import (
    delayed_xor,
    japanese_vowels,
    japanese_vowels_data,
    lagline_task,
    lagnet_task,
    mackey_glass,
)
from antevolt.sim.tasks.run import compare, learn
from antevolt.sim.tasks.run_command import summary
from antevolt.sim.tasks.task import Task

SHORT: dict[str, tuple[Task, Any]] = {
    "lagline": (lagline_task.LAGLINE, lagline_task.Settings(epochs=3, periods=5)),
    "lagnet": (lagnet_task.LAGNET, lagnet_task.Settings(epochs=6)),
    "delayed-xor": (delayed_xor.DELAYED_XOR, delayed_xor.Settings(epochs=2)),
    "mackey-glass": (mackey_glass.MACKEY_GLASS, mackey_glass.Settings(epochs=2)),
}


@pytest.mark.parametrize("name", SHORT)
def test_goes_on_where_it_was_left(name: str, tmp_path: Path) -> None:
    """In one go, and in parts: equal figures. Online state is carried over in the checkpoint."""
    task, settings = SHORT[name]
    folders = [tmp_path / part for part in ("whole", "parts")]
    for folder in folders:
        folder.mkdir()
    whole = learn(task, settings, 0, folders[0])
    assert task.name == name
    assert whole["implementation"] == "compiled"
    assert whole["epochs"][0]["counters"]["steps"] == task.steps(settings)

    def after_one(epochs: int) -> None:
        if epochs:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        learn(task, settings, 0, folders[1], after_one)
    parts = learn(task, settings, 0, folders[1])
    for record in (whole, parts):
        for epoch in record["epochs"]:
            del epoch["seconds"]
    assert parts["epochs"] == whole["epochs"]
    assert parts["test"] == whole["test"]


@pytest.mark.parametrize("name", SHORT)
def test_numpy_equals_the_compiled_model(name: str) -> None:
    task, settings = SHORT[name]
    found = compare(task, replace(settings, device="model:numpy"), 0, 40)
    assert found["differing_bits"] == 0
    assert found["steps"] == 40
    assert found["cycles"] == found["cycles_of_the_model"] > 0


def test_every_task_has_a_command(tmp_path: Path) -> None:
    """Its help says what it does, and a wrong option ends with status 2."""
    for name in (*SHORT, "japanese-vowels", "mnist1d"):
        command = group.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        said = CliRunner().invoke(command, ["--help"])
        assert said.exit_code == 0
        assert "The last epoch counts" in said.output
        assert CliRunner().invoke(command, ["--epochs=0"]).exit_code == 2


def test_command(tmp_path: Path) -> None:
    command = group.get_command(None, "lagline")  # type: ignore[arg-type]
    assert command is not None
    arguments = ["--epochs=1", "--periods=2", "--seeds=0,1", "--out", str(tmp_path)]
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert "mean of 2 seeds after 1 epochs: test" in done.stdout
    report = json.loads((tmp_path / "lagline.json").read_text())
    assert report["finished"]
    assert report["measure"] == "loss"
    assert report["mean_test"] == pytest.approx(np.mean([run["test"] for run in report["runs"]]))
    assert (tmp_path / "lagline.png").read_bytes().startswith(b"\x89PNG")


def test_lagline_learns(tmp_path: Path) -> None:
    record = learn(*SHORT["lagline"], 0, tmp_path)
    losses = [epoch["loss"] for epoch in record["epochs"]]
    assert losses == sorted(losses, reverse=True)
    assert record["test"] < 0.05 < losses[0]
    moved = np.array([record["epochs"][-1][name] for name in ("weights", "tau_m")])
    drawn = np.random.default_rng(0).uniform(size=4).reshape(2, 2)
    assert (np.abs(moved - drawn) > 0.1).all()


def test_lagnet_learns_after_it_has_settled(tmp_path: Path) -> None:
    record = learn(*SHORT["lagnet"], 0, tmp_path)
    distances = [epoch["weight error"] for epoch in record["epochs"]]
    assert len(set(distances[:4])) == 1
    assert record["test"] == distances[-1] < 0.01 < distances[0]
    with pytest.raises(BadInput, match="do not learn"):
        lagnet_task.Settings.of(epochs=4)


def test_cues() -> None:
    """Against a loop that keeps the last cues."""
    x, y, since = delayed_xor.cues(np.random.default_rng(0), 300, np.array([0.01, 0.3]))
    for stream in range(2):
        last, at = np.zeros(2), np.zeros(2)
        for n in range(300):
            for channel in np.flatnonzero(x[n, stream]):
                last[channel], at[channel] = x[n, stream, channel], n
            assert y[n, stream, 0] == last.prod() != 0
            assert since[n, stream] == n - at.max()
    assert 0.2 < (x[:, 1] != 0).any(axis=-1).mean() < 0.4


def test_the_loop_of_delayed_xor_forgets_before_it_learns() -> None:
    """Its start is a contraction, and hands no errors back unless it is asked to."""
    settings = delayed_xor.Settings()
    for seed in range(5):
        drawn = delayed_xor.start(settings, seed)
        assert np.abs(np.linalg.eigvals(drawn["1.weight"])).max() < 0.98
        assert not drawn["1.backward"].any()
    asked = replace(settings, loop_errors=True, loop_learns=False)
    assert "1.backward" not in delayed_xor.start(asked, 0)
    assert not delayed_xor.network(asked, 0).projections[1].learn
    assert len(delayed_xor.network(replace(settings, loop=False), 0).projections) == 3


def test_a_feed_forward_network_forgets_and_a_loop_does_not() -> None:
    """The argument of `delayed_xor`: after different cues, outputs come together to some LSB."""
    plain = delayed_xor.Settings(loop=False, slow=8.0, streams=4)
    cues = np.zeros((400, 4, 2))
    cues[0] = [[1, 1], [1, -1], [-1, 1], [-1, -1]]
    first = np.arange(400) == 0

    def outputs(settings: delayed_xor.Settings, gain: float) -> Any:
        drawn = delayed_xor.start(settings, 0)
        drawn["0.weight"] *= 2
        if settings.loop:
            drawn["1.weight"] = gain * np.eye(settings.first)
        with open_device("model", machine=delayed_xor.machine(settings)) as core:
            core.load(delayed_xor.network(settings, 0), drawn)
            return core.predict(cues, first=first)

    lsb = delayed_xor.machine(plain).formats.r.lsb
    forgotten = outputs(plain, 0.0)
    assert np.ptp(forgotten[3]) > 1000 * lsb
    assert np.ptp(forgotten[-1]) <= 2 * lsb
    kept = outputs(replace(plain, loop=True, slow=0.0), 1.5)
    assert np.ptp(kept[-1]) > 1000 * lsb


def test_series() -> None:
    """It obeys its equation, and seeds differ; the chain of the network keeps the last samples."""
    x = mackey_glass.series(3, 400)
    assert np.array_equal(x[:300], mackey_glass.series(3, 300))
    raw = x * mackey_glass.SPREAD + mackey_glass.MEAN
    then = raw[10:-27]  # half a sample and 17 samples before the middle of a difference
    slope = 0.2 * then / (1 + then**10) - 0.1 * raw[27:-10]
    assert np.abs((raw[28:-9] - raw[26:-11]) / 2 - slope).max() < 5e-3
    assert abs(x - mackey_glass.series(4, 400)).max() > 0.1
    assert 0.1 < mackey_glass.persistence(1) < 0.2


def test_mackey_glass_is_better_than_nothing(tmp_path: Path) -> None:
    settings = mackey_glass.Settings(epochs=1)
    record = learn(mackey_glass.MACKEY_GLASS, settings, 0, tmp_path)
    assert record["test"] < 0.5 * mackey_glass.persistence(1)
    with open_device("model", machine=mackey_glass.machine(settings)) as core:
        core.load(mackey_glass.network(settings, 0), mackey_glass.start(settings, 0))
        x = mackey_glass.series(0, 40)
        core.partial_fit(x, np.zeros(40))
        chain = core.state_dict()["population.1.r"][0]
    fmt = mackey_glass.machine(settings).formats.r
    assert np.array_equal(chain, fmt.to_real(fmt.to_raw(x[::-1][: settings.taps])))


@pytest.fixture
def utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with utterances of nine speakers: each has a channel that is high."""
    folder = tmp_path / "package" / "datasets" / "data" / "JapaneseVowels"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, speakers in (("TRAIN", np.repeat(np.arange(9), 30)), ("TEST", np.arange(9))):
        lines = ["#of a test", "@dimensions 12", "@data"]
        for speaker in speakers:
            x = rng.normal(size=(12, rng.integers(7, 30)))
            x[speaker] += 2
            channels = [",".join(f"{value:.4f}" for value in channel) for channel in x]
            lines.append(":".join([*channels, str(speaker + 1)]))
        (folder / f"JapaneseVowels_{name}.ts").write_text("\n".join(lines) + "\n")

    class Found:
        submodule_search_locations = (str(tmp_path / "package"),)

    monkeypatch.setattr(japanese_vowels_data, "find_spec", lambda name: Found())
    japanese_vowels_data._scaled.cache_clear()
    yield folder  # type: ignore[misc]
    japanese_vowels_data._scaled.cache_clear()


def test_utterances(utterances: Path) -> None:
    train, test = japanese_vowels_data.train_part(), japanese_vowels_data.test_part()
    assert (len(train), len(test)) == (270, 9)
    there = np.arange(29) < train.lengths[:, None]
    assert (train.x[~there] == 0).all()
    assert np.abs(train.x[there].mean(axis=0)).max() < 1e-9
    assert np.abs(train.x[there].std(axis=0) - 1).max() < 1e-9
    assert test.y.tolist() == list(range(9))


def test_speakers_are_learned(utterances: Path, tmp_path: Path) -> None:
    settings = japanese_vowels.Settings(epochs=6, held=10, hidden=12)
    record = learn(japanese_vowels.JAPANESE_VOWELS, settings, 0, tmp_path)
    assert record["epochs"][-1]["valid"] == record["test"] > 0.6
    assert record["epochs"][0]["counters"]["steps"] == 20 * 29
    with pytest.raises(BadInput, match="3 or more"):
        japanese_vowels.Settings.of(hidden=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no utterance"),
        ("@data\n1,2:3,4:1\n", r"shape \(2, 2\)"),
        ("@data\n" + ":".join(["1,2"] * 12) + ":10\n", "class 10"),
        ("@data\n" + ":".join(["1,x"] * 12) + ":1\n", "could not convert"),
    ],
)
def test_files_that_are_none_are_refused(utterances: Path, text: str, said: str) -> None:
    path = utterances / "JapaneseVowels_TRAIN.ts"
    path.write_text(text)
    with pytest.raises(BadFile, match=said):
        japanese_vowels_data.train_part()
    path.unlink()
    with pytest.raises(BadInput, match="pip install --no-deps aeon"):
        japanese_vowels_data.train_part()


def test_a_summary_has_what_its_table_compares_with() -> None:
    settings = mackey_glass.Settings(ahead=3)
    run = {"seed": 0, "test": 0.5, "seconds": 1.0}
    lines = summary(mackey_glass.MACKEY_GLASS, settings, [run])["lines"]
    assert lines == {"nothing changes": mackey_glass.persistence(3)}
