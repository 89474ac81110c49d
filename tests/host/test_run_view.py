# SPDX-License-Identifier: Apache-2.0
"""What is seen of a run: in a terminal, without one, and by machines."""

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.network import write
from antevolt.host.cli import antevolt
from antevolt.host.run_view import sparkline
from small import NETWORK

PROGRAM = "from antevolt.host.cli import main; main()"


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Of a run whose inputs are beyond the format, so that something saturates."""
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-9, 9, (3000, 2)), rng.uniform(-1, 1, (3000, 1))
    np.savez(tmp_path / "data.npz", x=x, y=y)
    write(tmp_path / "net.json", NETWORK)
    data, out = str(tmp_path / "data.npz"), str(tmp_path / "out")
    return ["run", str(tmp_path / "net.json"), "--data", data, "--out", out, "--learn"]


def test_lines(words: list[str]) -> None:
    done = CliRunner().invoke(antevolt, words)
    lines = done.output.splitlines()
    assert done.exit_code == 0, done.output
    assert len(lines) == 4
    for k, line in enumerate(lines[:-1], 1):
        assert line.startswith(f"step {1000 * k}/3000; loss ")
        for part in ("steps/s", "energy 1: ", ", 2: ", ", cost: ", "saturated ", "inputs "):
            assert part in line
    assert "link" not in done.output


def test_json(words: list[str]) -> None:
    done = CliRunner().invoke(antevolt, [*words, "--json"])
    objects = [json.loads(line) for line in done.output.splitlines()]
    assert [found["step"] for found in objects] == [1000, 2000, 3000]
    for found in objects:
        assert found["saturated"]["inputs"] > 0
        assert len(found["energy"]) == 2
        assert found["link"] is None
        assert found["counters"]["steps"] == 1000
        assert found["counters"]["busy"] > 1000


def in_terminal(words: list[str]) -> str:
    """What a terminal of 100 columns is sent."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    command = [sys.executable, "-c", PROGRAM, *words]
    env = {**os.environ, "TERM": "xterm-256color"}
    job = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    shown = b""
    try:
        while data := os.read(master, 1 << 16):
            shown += data
    except OSError:  # the terminal has nobody on its other end any more
        pass
    os.close(master)
    assert job.wait(60) == 0, shown.decode()
    return shown.decode()


def test_a_terminal(words: list[str]) -> None:
    shown = in_terminal(words)
    for part in ("net.json on model", "learning", "3000 of 3000", "steps/s", "left", "loss"):
        assert part in shown
    assert "energy" in shown
    assert "cost: " in shown
    assert "inputs " in shown
    assert "\x1b[?25h" in shown  # the cursor is back
    assert "3000 steps; " in shown.rstrip().splitlines()[-1]


def test_plain_in_a_terminal(words: list[str]) -> None:
    shown = in_terminal([*words, "--plain"])
    assert "\x1b" not in shown
    assert "step 3000/3000; loss " in shown


@pytest.mark.timeout(900)  # the first use builds the simulator
def test_a_line_is_shown(words: list[str]) -> None:
    """Of a whole board in a simulator, what its line carries."""
    more = ["--device", "rtl:top", "--every", "100", "--json"]
    path = Path(words[3])
    with np.load(path) as file:
        x, y = file["x"][:200], file["y"][:200]
    np.savez(path, x=x, y=y)
    done = CliRunner().invoke(antevolt, [*words, *more])
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [found["step"] for found in objects] == [100, 200]
    for found in objects:
        use = found["link"]
        assert 0 < use["fullest"] <= use["window"]
        assert 0 < 10 * max(use["out"], use["into"]) <= use["baud"]
        assert (use["resent"], use["bad"]) == (0, 0)


def test_bars() -> None:
    assert sparkline(deque([1.0])) == ""
    assert sparkline(deque([0.0, 1.0, 0.5])) == "▁█▅"
    assert sparkline(deque([2.0, 2.0])) == "▁▁"
