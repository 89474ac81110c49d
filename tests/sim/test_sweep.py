# SPDX-License-Identifier: Apache-2.0
"""`antevolt sweep`: what is varied, that trials differ, that it goes on where it was left."""

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import pytest
from click.testing import CliRunner, Result

from antevolt.hdl.spec.errors import BadInput
from antevolt.sim.tasks.mackey_glass import MACKEY_GLASS, Settings
from antevolt.sim.tasks.space import Choice, Range, parse
from antevolt.sim.tasks.sweep import Sweep, abandoned, done, opened, result, run, work
from antevolt.sim.tasks.sweep_command import command
from antevolt.sim.tasks.task import Task

SHORT = ("--", "--epochs=1")


def sweep(out: Path, *options: str) -> Result:
    before, _, after = " ".join(options).partition(" -- ")
    arguments = [*before.split(), "--yes", f"--out={out}", "--", "--epochs=1", *after.split()]
    return CliRunner().invoke(command, ["mackey-glass", *arguments])


def record(out: Path) -> Any:
    return json.loads((out / "sweep.json").read_text())


def test_ranges_and_choices() -> None:
    found = parse(("eta=1e-4..1e-2:log", "streams=1..40", "word=16,18"), lambda name: True)
    assert found == {
        "eta": Range(1e-4, 1e-2, logarithmic=True),
        "streams": Range(1, 40, whole=True),
        "word": Choice(("16", "18")),
    }
    assert found["eta"].middle == pytest.approx(1e-3)
    assert [str(one) for one in found.values()] == ["0.0001..0.01:log", "1..40", "16,18"]


@pytest.mark.parametrize(
    "text",
    ["eta", "=1..2", "eta=", "eta=2..1", "eta=1..1", "eta=a..b", "eta=0..1:log", "eta=1..2:lin",
     "eta=5", "eta=5,5", "eta=5,", "eta=nan..1", "beta=1..2"],
)  # fmt: skip
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse((text,), {"eta"}.__contains__)


def test_a_sweep_is_resumed_and_draws_anew(tmp_path: Path) -> None:
    """Two trials, then two more: four different ones, and the best is told."""
    options = ("--over=eta=1e-3..1e-1:log", "--over=hidden=4,8")
    assert sweep(tmp_path, *options, "--trials=2").exit_code == 0
    first = record(tmp_path)["trials"]
    done = sweep(tmp_path, *options, "--trials=4")
    assert done.exit_code == 0, done.output
    trials = record(tmp_path)["trials"]
    assert [t["state"] for t in trials] == ["complete"] * 4
    assert trials[:2] == first
    assert len({t["values"]["eta"] for t in trials}) == 4
    assert {t["values"]["hidden"] for t in trials} <= {"4", "8"}
    best = min(trials, key=lambda t: t["value"])
    rows = [line.split("│")[1].strip() for line in done.output.splitlines() if "│" in line]
    assert rows[0] == str(best["number"])
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
    assert not [p for p in tmp_path.iterdir() if p.is_dir()]


def test_two_processes_draw_different_values(tmp_path: Path) -> None:
    done = sweep(tmp_path, "--over=eta=1e-3..1e-1:log", "--trials=4", "--jobs=2")
    assert done.exit_code == 0, done.output
    trials = record(tmp_path)["trials"]
    assert len(trials) >= 4
    assert len({t["values"]["eta"] for t in trials}) == len(trials)


def test_a_trial_is_the_run_it_says(tmp_path: Path) -> None:
    """Its figure is that of `antevolt task` with the same settings; `test` is left alone."""
    from antevolt.sim.tasks.run import learn

    assert sweep(tmp_path, "--over=eta=0.01,0.02", "--trials=1").exit_code == 0
    (trial,) = record(tmp_path)["trials"]
    settings = Settings(epochs=1, eta=float(trial["values"]["eta"]))
    folder = tmp_path / "alone"
    folder.mkdir()
    run = learn(MACKEY_GLASS, settings, 0, folder, measured=False)
    assert trial["value"] == run["epochs"][-1]["NRMSE"]
    assert run["test"] is None


def test_another_sweep_in_the_folder_is_refused(tmp_path: Path) -> None:
    assert sweep(tmp_path, "--over=eta=1e-3..1e-1:log", "--trials=1").exit_code == 0
    before = (tmp_path / "sweep.json").read_text()
    other = sweep(tmp_path, "--over=eta=1e-2..1e-1:log", "--trials=1")
    assert isinstance(other.exception, BadInput)
    assert "other space" in str(other.exception)
    assert (tmp_path / "sweep.json").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody", "--over=eta=1..2"], "no task"),
        (["lagline", "--over=etta=1..2"], "no option --etta"),
        (["lagline", "--over=periods=1..9", "--figure=test"], "no figure"),
        (["lagline", "--over=periods=1..9", "--", "--jobs=2"], "no setting"),
        (["japanese-vowels", "--over=eta=1e-3..1e-2"], "no figure 'valid': no utterances are held"),
    ],
)
def test_bad_input_is_named(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [f"--out={tmp_path}", *arguments])
    assert isinstance(done.exception, BadInput)
    assert words in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_draw_that_is_refused_is_one_of_the_trials(tmp_path: Path) -> None:
    """By the network, by the core, by the option; the sweep goes on, and says so."""
    options = ("--over=eta=1e6,0.01", "--over=taps=64,24", "--over=hidden=0,32")
    done = sweep(tmp_path, *options, "--trials=8", "--sampler=random")
    assert done.exit_code == 0, done.output
    trials = record(tmp_path)["trials"]
    assert len(trials) == 8
    why = " ".join(t["refused"] for t in trials if t["state"] == "refused")
    for words in ("eta is 125000", "does not fit", "'--hidden': 0 is not in the range"):
        assert words in why
    assert {t["state"] for t in trials} == {"complete", "refused"}
    assert all((t["value"] is None) == (t["state"] == "refused") for t in trials)
    assert f"{sum(t['state'] == 'refused' for t in trials)} trials had settings" in done.output


def sweep_of(
    settings_of: Callable[[Mapping[str, Any]], Settings], folder: Path, trials: int = 3
) -> Sweep:
    def find() -> tuple[Task, Callable[[Mapping[str, Any]], Settings]]:
        return MACKEY_GLASS, settings_of

    return Sweep(find, {"eta": Range(0, 1)}, "NRMSE", (0,), trials, folder)


def test_a_sweep_ends_also_where_everything_is_refused(tmp_path: Path) -> None:
    asked = []

    def refuse(values: Mapping[str, Any]) -> Settings:
        asked.append(values)
        if len(asked) > 9:
            raise RuntimeError("it goes on and on")
        raise BadInput("never")

    one = sweep_of(refuse, tmp_path)
    study = opened(one, False, {})
    work(one, study, 0)
    assert len(asked) == len(done(study)) == 3


def test_what_a_killed_call_left_is_removed(tmp_path: Path) -> None:
    one = sweep_of(lambda values: Settings(), tmp_path)
    study = opened(one, False, {})
    assert [study.ask().number for _ in range(2)] == [0, 1]
    (tmp_path / "trial-1-abc").mkdir()
    (tmp_path / "trial-1-abc" / "seed-0.json").touch()
    (tmp_path / "trial-10-abc").mkdir()  # of another one
    abandoned(one, study)
    assert [t["state"] for t in result(study, {}, [])["trials"]] == ["fail", "fail"]
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["trial-10-abc"]


def test_the_client_of_a_cluster_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []

    class Client(AbstractContextManager[Any]):
        def __init__(self, address: str):
            told.append(address)

        def __exit__(self, *_: object) -> None:
            told.append("closed")

    distributed = ModuleType("distributed")
    distributed.Client = Client  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dask", ModuleType("dask"))
    monkeypatch.setitem(sys.modules, "dask.distributed", distributed)
    monkeypatch.setattr(joblib, "parallel_config", lambda **_: nullcontext())
    one = sweep_of(lambda values: Settings(), tmp_path, trials=0)
    run(one, opened(one, False, {}), 1, "tcp://somewhere:1")
    assert told == ["tcp://somewhere:1", "closed"]


def test_asks_before_it_begins(tmp_path: Path) -> None:
    arguments = ["mackey-glass", "--over=eta=0.01,0.02", f"--out={tmp_path}", *SHORT]
    done = CliRunner().invoke(command, arguments, input="n\n")
    assert done.exit_code == 1
    assert "20 trials of 1 seeds" in done.output
    assert not (tmp_path / "sweep.json").exists()
