# SPDX-License-Identifier: Apache-2.0
"""The clock loop and the build of the simulator, with a tiny component in place of a core."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from antevolt.hdl.spec.errors import AntevoltError, BadInput, BuildFailed, Closed, DeadlineExceeded
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.sim.rtl import build
from antevolt.sim.rtl.device import RtlBackend
from antevolt.sim.rtl.echo_core import WORD, EchoCore


@pytest.fixture(scope="module")
def simulator() -> Path:
    return build.build_component(EchoCore, "echo")


@pytest.fixture
def core(simulator: Path) -> RtlBackend:
    return RtlBackend(Machine(), 20.0, simulator=simulator)


def test_memory_words_are_36_bits_wide(core: RtlBackend) -> None:
    words = [1, 2**36 - 1, 0, 2**35]
    core.write(Region.STATE, 0, 7, words)
    assert core.read(Region.STATE, 0, 7, 4).tolist() == words


@pytest.mark.parametrize("stall", [(0, 0, 0), (60, 0, 0), (0, 60, 0), (0, 0, 60), (40, 30, 50)])
def test_streams_keep_order_under_stalls(core: RtlBackend, stall: tuple[int, int, int]) -> None:
    rng = np.random.default_rng(sum(stall))
    x = rng.integers(0, 98, 500)
    has_target = rng.integers(0, 2, 500)
    flags = has_target * int(Flag.TARGET_VALID) | int(Flag.VALID)
    y = rng.integers(0, 98, has_target.sum())
    added = np.zeros(500, dtype=np.int64)
    added[has_target == 1] = y
    core.stall(*stall)
    out = core.run(x | flags << WORD, y, 500, 1)
    assert out.tolist() == (2 * x + added | flags << WORD).tolist()


def test_stalls_cost_cycles(core: RtlBackend) -> None:
    start = core.cycles
    core.run(np.ones(100), [], 100, 1)
    plain = core.cycles - start
    core.stall(x=50, seed=3)
    core.run(np.ones(100), [], 100, 1)
    assert core.cycles - start - plain > plain


def test_a_stuck_core_ends_in_deadline_exceeded(core: RtlBackend) -> None:
    core.patience = 300
    with pytest.raises(DeadlineExceeded, match="1 of 2 inputs"):
        core.run([1, 99], [], 2, 1)
    with pytest.raises(Closed):
        core.read(Region.STATE, 0, 0, 1)


def test_a_slow_core_ends_in_deadline_exceeded(simulator: Path) -> None:
    core = RtlBackend(Machine(), 0.01, simulator=simulator)
    core.patience = 1 << 60
    with pytest.raises(DeadlineExceeded, match=r"0\.01 s"):
        core.run([99], [], 1, 1)


def test_too_many_outputs_are_an_error(core: RtlBackend) -> None:
    with pytest.raises(AntevoltError, match="more words"):
        core.run([1, 2], [], 2, 0)


def test_waveforms_need_the_traced_simulator(core: RtlBackend, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="trace=True"):
        core.waveforms(tmp_path / "x.vcd")


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build.shutil, "which", lambda tool: None if tool == "perl" else tool)
    with pytest.raises(BuildFailed, match="perl is missing"):
        build.build_component(EchoCore, "echo")


def test_a_failed_build_shows_the_end_of_the_output(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build, "_verilog", lambda component: "module core(; endmodule")
    with pytest.raises(BuildFailed, match="syntax error"):
        build.build_component(object, "none")
    assert not list(tmp_path.rglob("*.so"))


def test_a_cached_simulator_is_not_built_again(
    simulator: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_compile", lambda *_: pytest.fail("built again"))
    assert build.build_component(EchoCore, "echo") == simulator


def test_two_processes_build_one_library(tmp_path: Path) -> None:
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from antevolt.sim.rtl.echo_core import EchoCore\n"
        "from antevolt.sim.rtl.build import build_component\n"
        "print(build_component(EchoCore, 'echo'))\n"
    )
    here = str(Path(__file__).parent)
    environment = {**build.os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    jobs = [
        subprocess.Popen(
            [sys.executable, "-c", program, here, *sys.path],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    results = [job.communicate(timeout=120) for job in jobs]
    assert results[0][0] == results[1][0] != ""
    assert sum("about 20 s, once" in err for _, err in results) == 1
    assert len(list(tmp_path.rglob("*.so"))) == 1
