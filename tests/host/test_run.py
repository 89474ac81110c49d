# SPDX-License-Identifier: Apache-2.0
"""Runs that are killed go on as if nothing had been: the same outputs, the same memories."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import write
from antevolt.host import checkpoint
from antevolt.host.cli import antevolt
from antevolt.host.device import open as open_device
from antevolt.host.run import Run
from antevolt.host.run_data import Data, read_data
from antevolt.host.run_folder import CHECKPOINT, LOG, OUTPUTS, RUN, START, TAPS, read_run
from small import NETWORK

STEPS, KILLS = 6000, 5
SHORT, EVERY = 150, 50
PROGRAM = "from antevolt.host.cli import main; main()"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a network and data."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (STEPS, 2)), rng.uniform(-1, 1, (STEPS, 1))
    x[::7] *= 9  # beyond the format: the log counts it
    np.savez(tmp_path / "data.npz", x=x, y=y, first=np.arange(STEPS) % 50 == 0)
    write(tmp_path / "net.json", NETWORK)
    return tmp_path


def arguments(folder: Path, out: str, *more: str) -> list[str]:
    net, data = str(folder / "net.json"), str(folder / "data.npz")
    taps = ("--tap", "u", "--tap", "projection.*.bias", "--tap", "energy", "--tap-every", "70")
    return ["run", net, "--data", data, "--out", str(folder / out), "--learn", *taps, *more]


def results(folder: Path) -> tuple[bytes, bytes, dict[str, bytes]]:
    """Outputs, taps and every word of the last state; the file's header has no order of its own."""
    state = load_file(folder / CHECKPOINT)
    outputs, taps = ((folder / name).read_bytes() for name in (OUTPUTS, TAPS))
    return outputs, taps, {name: array.tobytes() for name, array in state.items()}


def saturated(folder: Path) -> dict[str, int]:
    """Of all lines of the log together."""
    lines = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    return {kind: sum(line["saturated"][kind] for line in lines) for kind in lines[0]["saturated"]}


class Stopped(BaseException):
    """In place of a kill."""


def stopped(at: int, torn: bool, run: Callable[[], None]) -> bool:
    """Whether a run came to its write of this number, from 1, and was stopped there: as the words
    go to the disk; `torn`: the last of them do not reach it."""
    left = at

    def fsync(number: int) -> None:
        nonlocal left
        left -= 1
        if left:
            return
        status = os.fstat(number)
        if torn and stat.S_ISREG(status.st_mode):
            os.ftruncate(number, max(0, status.st_size - 5))
        raise Stopped

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        try:
            run()
        except Stopped:
            return True
    return False


@pytest.mark.parametrize("torn", [False, True])
def test_stopped_at_any_write_and_resumed(files: Path, torn: bool) -> None:
    """At each write of a run in turn; then again when it is resumed, at one or another."""
    data = read_data(files / "data.npz")
    flags = {name: values[:SHORT] for name, values in data.flags.items()}
    short = Data(data.x[:SHORT], data.y[:SHORT], flags, data.digest, data.path)

    def run(folder: Path) -> None:
        resume = (folder / RUN).exists()
        with Run(folder, device, files / "net.json", short, True, resume, ["u"], 20) as own:
            list(own.steps(EVERY))

    with open_device() as device:
        run(files / "whole")
        at, cut = 0, True
        while cut:
            at += 1
            again = partial(run, files / f"{at}")
            cut = stopped(at, torn, again)
            stopped(1 + at % 9, torn, again)
            assert not stopped(0, torn, again)
            assert results(files / f"{at}") == results(files / "whole")
            log = read_run(files / f"{at}").log
            assert [line["step"] for line in log] == list(range(EVERY, SHORT + 1, EVERY))
            assert saturated(files / f"{at}") == saturated(files / "whole")
    assert at > 5 * SHORT // EVERY


def test_killed_and_resumed(files: Path) -> None:
    """At random moments, in processes of their own."""
    whole = CliRunner().invoke(antevolt, arguments(files, "whole", "--every", "1000"))
    assert whole.exit_code == 0, whole.output
    draw, killed, resume = Random(2), 0, ()
    while True:
        command = [sys.executable, "-c", PROGRAM, *arguments(files, "killed", "--every", "60")]
        job = subprocess.Popen([*command, *resume], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        if killed < KILLS:
            end = time.monotonic() + 60
            started = files / "killed" / CHECKPOINT
            before = started.stat().st_mtime_ns if started.exists() else 0
            while time.monotonic() < end and job.poll() is None:
                if started.exists() and started.stat().st_mtime_ns != before:
                    break  # it has gone on
                time.sleep(0.005)
            time.sleep(draw.random() * 0.02)
            if job.poll() is None:
                os.kill(job.pid, signal.SIGKILL)
                killed += 1
        job.communicate(timeout=100)
        resume = ("--resume",)
        if job.returncode == 0:
            break
        assert job.returncode == -signal.SIGKILL
    assert killed == KILLS
    assert results(files / "killed") == results(files / "whole")
    assert len(results(files / "whole")[0]) == STEPS * 8
    log = read_run(files / "killed").log
    assert [line["step"] for line in log] == [*range(60, STEPS, 60), STEPS]
    assert saturated(files / "killed") == saturated(files / "whole")
    assert any(saturated(files / "whole").values())


def test_taps_are_what_the_device_holds(files: Path) -> None:
    """Read back, they are the states of a device that ran the same steps."""
    done = CliRunner().invoke(antevolt, arguments(files, "out", "--every", "1000"))
    assert done.exit_code == 0, done.output
    found = read_run(files / "out")
    names = {f"population.{l}.u" for l in (1, 2)} | {f"projection.{k}.bias" for k in (0, 1)}
    assert set(found.taps) == names | {"energy"}
    assert found.tap_steps.tolist() == list(range(70, STEPS + 1, 70))
    data = read_data(files / "data.npz")
    with open_device() as device:
        device.load(NETWORK)
        assert all(np.array_equal(found.start[n], v) for n, v in device.state_dict().items())
        for k, (start, end) in enumerate(((0, 70), (70, 140), (140, 210))):
            outputs = np.array(list(device.stream(learn=True, **data.part(start, end))))
            assert np.array_equal(found.outputs[start:end], outputs)
            state = device.state_dict()
            assert all(np.array_equal(found.taps[name][k], state[name]) for name in names)
            energy = device.energy()
            assert np.array_equal(found.taps["energy"][k][:2], energy.errors)
            assert np.array_equal(found.taps["energy"][k][2], energy.cost)


def test_a_run_that_was_cut_is_read_to_its_checkpoint(files: Path) -> None:
    """What a kill left behind the checkpoint is not shown."""
    assert CliRunner().invoke(antevolt, arguments(files, "out")).exit_code == 0
    folder = files / "out"
    whole = read_run(folder)
    for name in (OUTPUTS, TAPS):
        with (folder / name).open("ab") as file:
            file.write(bytes(1001))
    with (folder / LOG).open("a") as file:
        file.write('{"step": 99999}\n{"ste')
    again = read_run(folder)
    assert again.log == whole.log
    assert np.array_equal(again.outputs, whole.outputs)
    assert np.array_equal(again.taps["energy"], whole.taps["energy"])
    assert CliRunner().invoke(antevolt, arguments(files, "out", "--resume")).exit_code == 0
    assert (folder / LOG).read_text().count("\n") == len(whole.log)


def test_a_state_that_there_is_not(files: Path) -> None:
    done = CliRunner().invoke(antevolt, arguments(files, "out", "--tap", "w"))
    assert isinstance(done.exception, BadInput)
    assert "no state is called 'w'" in str(done.exception)
    assert "weight" in str(done.exception)
    assert not (files / "out").exists()


@pytest.mark.parametrize("harm", ["json", "start", "log", "kind"])
def test_a_folder_that_is_no_run(files: Path, harm: str) -> None:
    assert CliRunner().invoke(antevolt, arguments(files, "out")).exit_code == 0
    folder = files / "out"
    about = json.loads((folder / "run.json").read_text())
    if harm == "json":
        (folder / "run.json").write_text("[1")
    elif harm == "kind":
        (folder / "run.json").write_text(json.dumps(about | {"tapped": ["a"]}))
    elif harm == "log":
        (folder / LOG).write_text("what\n")
    else:
        (folder / "start.safetensors").unlink()
    with pytest.raises(BadFile):
        read_run(folder)


def test_a_run_that_is_under_way(files: Path) -> None:
    """Nobody else goes on with it, nor begins another one in its folder, until it is left."""
    folder, net, data = files / "out", files / "net.json", read_data(files / "data.npz")
    with open_device() as device, open_device() as other:
        with Run(folder, device, net, data, True, False) as run:
            steps = run.steps(100)
            next(steps)
            for resume in (False, True):
                with pytest.raises(BadFile, match="another process writes"):
                    Run(folder, other, net, data, True, resume)
            next(steps)
        with Run(folder, other, net, data, True, True) as run:
            assert run.position == 200
            next(run.steps(100))
        with pytest.raises(BadFile, match="resume it"):
            Run(folder, device, net, data, True, False)
    assert (folder / OUTPUTS).stat().st_size == 300 * 8


def test_what_is_left_of_a_run_is_no_checkpoint(files: Path) -> None:
    """Where the description is gone, a new run begins at its own start, killed at once or not."""
    folder, net, data = files / "out", files / "net.json", read_data(files / "data.npz")
    with open_device() as device:
        with Run(folder, device, net, data, True, False) as run:
            next(run.steps(100))
        (folder / RUN).unlink()
        with Run(folder, device, net, data, True, False) as run:
            assert run.position == 0
        with Run(folder, device, net, data, True, True) as run:
            assert run.position == 0


def test_a_description_that_is_none(files: Path) -> None:
    """Neither a report nor a run goes on from it."""
    assert CliRunner().invoke(antevolt, arguments(files, "out")).exit_code == 0
    whole = json.loads((files / "out" / RUN).read_text())
    others = ("[]", "3", '"x"', "{}", "[" * 100_000, json.dumps(whole | {"core": None}))
    for text in others:
        (files / "out" / RUN).write_text(text)
        with pytest.raises(BadFile):
            read_run(files / "out")
        resumed = CliRunner().invoke(antevolt, arguments(files, "out", "--resume"))
        assert isinstance(resumed.exception, BadFile), text[:20]


@pytest.mark.parametrize("name", [START, CHECKPOINT])
def test_a_state_that_lacks_something(files: Path, name: str) -> None:
    assert CliRunner().invoke(antevolt, arguments(files, "out")).exit_code == 0
    path = files / "out" / name
    state, formats = checkpoint.read(path, NETWORK, None), Machine().formats
    names = ("projection.0.weight", "projection.1.bias", "register.step", "register.seed", "output")
    for lost in names:
        parts = {key: value for key, value in state.items() if key != lost}
        for held in (parts, parts | {lost: np.zeros((1, 2))}):
            checkpoint.write(path, NETWORK, formats, held)
            with pytest.raises(BadFile, match=lost.removeprefix("projection.")):
                read_run(files / "out")


def test_a_run_is_not_overwritten(files: Path) -> None:
    run = CliRunner()
    assert run.invoke(antevolt, arguments(files, "out")).exit_code == 0
    before = results(files / "out")
    taps = run.invoke(antevolt, arguments(files, "out", "--resume", "--tap", "v"))
    assert "differs in taps" in str(taps.exception)
    again = run.invoke(antevolt, arguments(files, "out"))
    assert isinstance(again.exception, BadFile)
    assert "resume it" in str(again.exception)
    np.savez(files / "data.npz", x=np.zeros((10, 2)))
    other = run.invoke(antevolt, arguments(files, "out", "--resume"))
    assert "differs in data" in str(other.exception)
    nothing = run.invoke(antevolt, arguments(files, "elsewhere", "--resume"))
    assert "holds no run" in str(nothing.exception)
    assert results(files / "out") == before


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({}, "it needs x"),
        ({"y": np.zeros(3)}, "it needs x"),
        ({"x": np.zeros(3), "z": np.zeros(3)}, "it needs x"),
        ({"x": np.zeros(3), "y": np.zeros(4)}, "first axis"),
        ({"x": np.float64(1)}, "first axis"),
        ({"x": np.array([object()])}, "whole .npz"),
    ],
)
def test_bad_data(tmp_path: Path, arrays: dict[str, np.ndarray], says: str) -> None:
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(BadFile, match=says):
        read_data(tmp_path / "data.npz")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": (250, np.nan)}, "samples[250, 0, 0] is nan"),
        ({"y": (250, np.inf)}, "targets[250, 0, 0] is inf"),
        ({"first": (250, 2.0)}, "first[250, 0] is 2.0; it is true or false"),
        ({"y": None, "target_valid": (0, 1)}, "target_valid is true but there is no target"),
        ({"x": np.zeros((300, 3))}, "samples has shape [300, 3]; expected [T, 1, 2]"),
        ({"y": np.zeros((300, 2))}, "targets has shape [300, 2]; expected [300, 1, 1]"),
    ],
)
def test_data_that_cannot_be_fed(files: Path, change: dict[str, Any], says: str) -> None:
    """Is refused before there is a folder, with the file and the step of the run."""
    arrays = {name: np.zeros((300, n)) for name, n in (("x", 2), ("y", 1))}
    for name, value in change.items():
        if value is None:
            del arrays[name]
        elif isinstance(value, tuple):
            arrays.setdefault(name, np.zeros(300))[value[0]] = value[1]
        else:
            arrays[name] = value
    np.savez(files / "data.npz", **arrays)
    done = CliRunner().invoke(antevolt, arguments(files, "out", "--every", "100"))
    assert isinstance(done.exception, BadInput)
    assert str(done.exception).startswith(f"{files / 'data.npz'}: {says}")
    assert not (files / "out").exists()


def test_data_of_one_array(files: Path) -> None:
    """Neither a run nor a report takes a .npy file, whatever it is called."""
    assert CliRunner().invoke(antevolt, arguments(files, "out")).exit_code == 0
    np.save(files / "data.npy", np.zeros((3, 2)))
    (files / "data.npy").rename(files / "data.npz")
    report = ["report", str(files / "out"), "--data", str(files / "data.npz")]
    for words in (arguments(files, "other"), report):
        done = CliRunner().invoke(antevolt, words)
        assert isinstance(done.exception, BadFile)
        assert "holds one array; give an .npz with x" in str(done.exception)
    assert not (files / "other").exists()


def test_data_that_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, x=np.zeros(1000))
    data = path.read_bytes()
    for size in (0, 1, 50, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(BadFile, match="whole"):
            read_data(path)
    with pytest.raises(BadFile, match="whole"):
        read_data(tmp_path / "none.npz")
