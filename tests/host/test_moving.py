# SPDX-License-Identifier: Apache-2.0
"""Checkpoints move between the model, the netlist and a whole board, in the midst of streaming."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from safetensors.numpy import load_file

from antevolt.hdl.spec.network import write
from antevolt.host.cli import antevolt
from antevolt.host.device import open as open_device
from antevolt.host.link.serial_port import SerialPort
from antevolt.host.link.serve import Bridge
from antevolt.host.link.socket_messages import Address
from antevolt.host.outputs import OutputSetting
from antevolt.host.run import Run
from antevolt.host.run_data import read_data
from antevolt.host.run_folder import CHECKPOINT, OUTPUTS, TAPS, read_run
from antevolt.sim.rtl.line import SIMULATED, SimulatedLine, build_top
from antevolt.sim.rtl.pty import PtyBoard
from small import NETWORK, SMALL

STEPS, CHUNK = 96, 8
SLOWLY = NETWORK.with_(apply_every=5)  # a checkpoint falls between two APPLY
ROUTES = (
    ("model", "rtl", "rtl:top"),
    ("rtl:top", "model", "rtl"),
    ("rtl", "rtl:top", "model:numpy"),
)
pytestmark = pytest.mark.timeout(900)  # the first use builds the simulators


def samples(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Inputs, targets, and where a stream starts anew."""
    rng = np.random.default_rng(8)
    x, y = rng.uniform(-1, 1, (steps, 2)), rng.uniform(-1, 1, (steps, 1))
    return x, y, np.arange(steps) % 29 == 0


def stopped(
    name: str, checkpoint: Path, steps: int, setting: OutputSetting, resumed: bool
) -> list[float]:
    """The outputs of a stream that is left in the midst after so many steps, and is saved there."""
    x, y, first = samples(STEPS)
    with open_device(name, machine=SMALL, deadline=300.0) as device:
        device.load(SLOWLY)
        device.set_outputs(setting.mode, setting.every)
        start = 0
        if resumed:
            device.restore(checkpoint)
            start = int(device.state_dict()["register.step"][0])
        found: list[float] = []
        rows = device.results(x[start:], y[start:], True, first=first[start:], chunk=CHUNK)
        for result in rows:
            found.append(float(result.values[0, 0]))
            if device.counters()["steps"] >= steps and _last_of_chunk(result.step, setting):
                break
        device.save(checkpoint)
        assert int(device.state_dict()["register.step"][0]) == steps
    return found


def _last_of_chunk(step: int, setting: OutputSetting) -> bool:
    """Of the steps that were sent together, the last one that puts out something."""
    return step % CHUNK >= CHUNK - setting.every


@pytest.mark.parametrize("route", ROUTES, ids="-".join)
@pytest.mark.parametrize("every", [1, 4])
def test_a_stream_goes_on_elsewhere(tmp_path: Path, route: tuple[str, ...], every: int) -> None:
    """Outputs and the last state are those of one device that was never left, bit for bit."""
    setting, path = OutputSetting("every", every), tmp_path / "state.safetensors"
    found = []
    for k, name in enumerate(route, 1):
        found += stopped(name, path, k * STEPS // len(route), setting, resumed=k > 1)
    x, y, first = samples(STEPS)
    with open_device("model", machine=SMALL) as model:
        model.load(SLOWLY)
        model.set_outputs(setting.mode, setting.every)
        rows = list(model.stream(x, y, True, first=first))
        state = model.state_dict()
    assert len(found) == STEPS // every
    assert found == [float(row[0, 0]) for row in rows]
    moved = load_file(path)
    assert set(moved) == set(state)
    assert [name for name in state if not np.array_equal(state[name], moved[name])] == []
    assert state["projection.0.gradient"].any()  # it was in the midst of a sum


@contextmanager
def lent() -> Iterator[str]:
    """A whole simulated board behind a pseudo-terminal, lent by a server: the name to open."""
    board, stop = PtyBoard(SimulatedLine(build_top(SMALL, SIMULATED))), threading.Event()
    bridge = Bridge(lambda: SerialPort(board.path), Address("127.0.0.1:0"), None)
    threads = [
        threading.Thread(target=served.serve, args=(stop.is_set,), daemon=True)
        for served in (board, bridge)
    ]
    for thread in threads:
        thread.start()
    try:
        yield f"tcp:127.0.0.1:{bridge.port}"
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)
        bridge.close()
        board.close()


def test_a_run_goes_on_elsewhere(tmp_path: Path) -> None:
    """`antevolt run` on the model, on a board over TCP and on one in the process: one run."""
    x, y, first = samples(90)
    np.savez(tmp_path / "data.npz", x=x, y=y, first=first)
    write(tmp_path / "net.json", SLOWLY)
    network, data = tmp_path / "net.json", read_data(tmp_path / "data.npz")
    words = ["run", str(network), "--data", str(tmp_path / "data.npz"), "--learn", "--every", "30"]
    words += ["--tap", "u", "--tap", "energy", "--tap-every", "10", "--out"]
    whole = CliRunner().invoke(antevolt, [*words, str(tmp_path / "whole")])
    assert whole.exit_code == 0, whole.output
    moved = tmp_path / "moved"

    def part(name: str, resume: bool) -> None:
        """Up to the next checkpoint; then it is left."""
        with open_device(name, machine=None if "tcp" in name else SMALL, deadline=300.0) as device:
            with Run(moved, device, network, data, True, resume, ("u", "energy"), 10) as run:
                next(run.steps(30))

    part("model", False)
    with lent() as name:
        part(name, True)
    last = CliRunner().invoke(antevolt, [*words, str(moved), "--resume", "--device", "rtl:top"])
    assert last.exit_code == 0, last.output
    for name in (OUTPUTS, TAPS):
        assert (moved / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    ours, theirs = (load_file(path / CHECKPOINT) for path in (moved, tmp_path / "whole"))
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
    log = read_run(moved).log
    assert [line["step"] for line in log] == [30, 60, 90]
    assert [line["link"] is None for line in log] == [True, False, False]
    assert read_run(tmp_path / "whole").log[0]["loss"] == log[0]["loss"]


def test_a_whole_run_over_tcp(tmp_path: Path) -> None:
    """The command alone, from a lent board."""
    x, y, _ = samples(60)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    write(tmp_path / "net.json", NETWORK)
    words = ["run", str(tmp_path / "net.json"), "--data", str(tmp_path / "data.npz"), "--learn"]
    with lent() as name:
        there = str(tmp_path / "there")
        done = CliRunner().invoke(antevolt, [*words, "--out", there, "--device", name])
        assert done.exit_code == 0, done.output
        assert "; link " in done.output
    here = CliRunner().invoke(antevolt, [*words, "--out", str(tmp_path / "here")])
    assert here.exit_code == 0
    outputs = [(tmp_path / folder / OUTPUTS).read_bytes() for folder in ("here", "there")]
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 60 * 8
