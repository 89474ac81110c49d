# SPDX-License-Identifier: Apache-2.0
"""Waveforms and operations of some steps."""

from pathlib import Path

import pytest

from antevolt.hdl.spec.errors import BadInput, DoesNotFit
from antevolt.hdl.spec.network import write
from antevolt.host import cli
from antevolt.host.comparison import Case
from antevolt.host.trace import trace
from small import NETWORK, SMALL

CASE = Case(NETWORK, SMALL, steps=20, seed=5)


def test_a_step_is_written_with_its_operations(tmp_path: Path) -> None:
    waves, listing = trace(CASE, step=7, around=1, folder=tmp_path / "new")
    assert waves.read_text()[:2000].count("$var") > 5
    cycles = 3 * 300  # of three steps, at least
    assert waves.read_text().count("\n#") > cycles
    lines = listing.read_text().splitlines()
    assert [line for line in lines if line.startswith("step")] == ["step 6", "step 7", "step 8"]
    for kind in ("INPUT", "FORWARD", "MEMBRANE", "ERROR", "BACK", "APPLY", "OUTPUT", "END"):
        assert sum(kind in line for line in lines) >= 3
    assert any(line.startswith("    u 0: ") and len(line.split()) == 5 for line in lines)


def test_a_step_beyond_the_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"step is 20; the run has the steps 0\.\.19"):
        trace(CASE, step=20, around=1, folder=tmp_path)


def test_what_does_not_fit_is_refused_before_a_simulator_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("antevolt.sim.rtl.device.RtlBackend", None)
    wide = Case(NETWORK.with_(inputs=5000), SMALL, steps=20, seed=5)
    with pytest.raises(DoesNotFit):
        trace(wide, step=7, around=1, folder=tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_a_difference_there_is_nothing_to_show(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "network.json"
    write(path, NETWORK)
    with pytest.raises(SystemExit) as stop:
        cli.main(["trace", "--network", str(path), "--steps", "20", "--out", str(tmp_path / "t")])
    assert stop.value.code == 1
    assert "no difference in 20 steps" in capsys.readouterr().out
