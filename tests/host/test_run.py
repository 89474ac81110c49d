# SPDX-License-Identifier: Apache-2.0
"""Runs that are killed go on as if nothing had been: the same outputs, the same memories."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import load_file

from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.network import write
from antevolt.host.cli import antevolt
from antevolt.host.run import CHECKPOINT, OUTPUTS, read_data
from small import NETWORK

STEPS, KILLS = 20_000, 20
PROGRAM = "from antevolt.host.cli import main; main()"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a network and data."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-1, 1, (STEPS, 2)), rng.uniform(-1, 1, (STEPS, 1))
    np.savez(tmp_path / "data.npz", x=x, y=y, first=np.arange(STEPS) % 50 == 0)
    write(tmp_path / "net.json", NETWORK)
    return tmp_path


def arguments(folder: Path, out: str, *more: str) -> list[str]:
    net, data = str(folder / "net.json"), str(folder / "data.npz")
    return ["run", net, "--data", data, "--out", str(folder / out), "--learn", *more]


def results(folder: Path) -> tuple[bytes, dict[str, bytes]]:
    """Outputs, and every word of the last state; the file's header has no order of its own."""
    state = load_file(folder / CHECKPOINT)
    outputs = (folder / OUTPUTS).read_bytes()
    return outputs, {name: array.tobytes() for name, array in state.items()}


def test_killed_and_resumed(files: Path) -> None:
    """At random moments, between writes and in the middle of them."""
    whole = CliRunner().invoke(antevolt, arguments(files, "whole", "--every", "100"))
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
            time.sleep(draw.random() * 0.03)
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


def test_a_run_is_not_overwritten(files: Path) -> None:
    run = CliRunner()
    assert run.invoke(antevolt, arguments(files, "out")).exit_code == 0
    before = results(files / "out")
    again = run.invoke(antevolt, arguments(files, "out"))
    assert isinstance(again.exception, BadFile)
    assert "resume it" in str(again.exception)
    np.savez(files / "data.npz", x=np.zeros((10, 2)))
    other = run.invoke(antevolt, arguments(files, "out", "--resume"))
    assert "differs in data" in str(other.exception)
    nothing = run.invoke(antevolt, arguments(files, "elsewhere", "--resume"))
    assert "no run to resume" in str(nothing.exception)
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
