# SPDX-License-Identifier: Apache-2.0
"""The comparison itself: it passes what is equal, finds what differs, and says so when it proves
nothing."""

import json
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from antevolt.hdl.spec.errors import AntevoltError, DeadlineExceeded
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import write
from antevolt.host import both_sides, cli
from antevolt.host.both_sides import Progress
from antevolt.host.campaign import campaign, stress_network
from antevolt.host.comparison import Case, Report
from antevolt.host.device import open
from antevolt.host.state import Memory
from antevolt.host.verify import verify
from antevolt.host.verify_command import run_cases
from antevolt.host.verify_worker import Fault
from small import NETWORK, SMALL

CASE = Case(NETWORK, SMALL, steps=60, seed=5, device="model")


def fault(step: int, name: str, element: tuple[int, ...], bit: int = 0) -> Fault:
    """A flipped bit of one element of the state."""
    with open("model", machine=SMALL) as device:
        device.load(NETWORK)
        place = Memory(NETWORK, SMALL, device.image.layout).places[name]
    unit, index, shift = (int(a[element]) for a in (place.unit, place.index, place.shift))
    return Fault(step, place.region.name, unit, index, shift + bit)


def test_the_netlist_equals_the_model() -> None:
    report = verify(replace(CASE, device="rtl"))
    assert report.passed, report
    assert report.differing_bits == 0
    assert report.words_compared > 60
    assert report.cycles == report.compiled > 0
    assert report.changed > 0.9


def test_the_same_seed_gives_the_same_digest() -> None:
    digests = {verify(replace(CASE, seed=seed)).digest for seed in (5, 5, 6)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("step", "name", "element", "operation", "place"),
    [
        (0, "population.1.u", (0, 2), "MEMBRANE", "u of population 1, neuron 2, stream 0"),
        (23, "population.1.v", (0, 1), "ERROR", "v of population 1, neuron 1, stream 0"),
        (30, "population.2.e", (0, 0), "ERROR", "e of population 2, neuron 0, stream 0"),
        (41, "population.1.q", (0, 2), "BACK", "q of population 1, neuron 2, stream 0"),
        (12, "population.0.r", (0, 1), "INPUT", "r of population 0, neuron 1, stream 0"),
        (17, "projection.1.bias", (0,), "APPLY", "bias of projection 1, to neuron 0"),
    ],
)
def test_a_planted_difference_is_found(
    step: int, name: str, element: tuple[int, ...], operation: str, place: str
) -> None:
    planted = fault(step, name, element)
    report = verify(replace(CASE, fault=planted, checkpoint_every=1))
    assert not report.passed
    found = report.difference
    assert found is not None
    assert found.step == step
    assert operation in found.operation
    assert place in found.place
    assert abs(found.model - found.device) == 1
    assert found.words == 1


def test_a_difference_between_checkpoints_is_searched_for() -> None:
    weight = fault(33, "projection.0.weight", (2, 1), bit=3)
    report = verify(replace(CASE, fault=weight, checkpoint_every=25))
    found = report.difference
    assert found is not None
    assert report.differing_bits > 0
    assert (found.step, found.words) == (33, 1)
    place = "weight of projection 0, to neuron 2 of population 1 from neuron 1 of population 0"
    assert found.place == place
    assert "APPLY" in found.operation
    assert "step 33" in str(found)


def test_too_few_steps_prove_nothing() -> None:
    report = verify(replace(CASE, steps=1, seed=0))
    assert report.differing_bits == 0
    assert not report.passed
    assert any("learnable words changed" in reason for reason in report.vacuous)


def test_saturation_proves_nothing_but_under_stress() -> None:
    loud = NETWORK.with_(beta=30.0)
    parameters = loud.random_parameters(0, gain=8.0)
    report = verify(replace(CASE, network=loud, parameters=parameters))
    assert any("saturated" in reason for reason in report.vacuous)
    assert not report.passed


def test_stress_brings_up_every_saturation() -> None:
    machine = Machine(rows=3, streams=8)
    report = verify(Case(stress_network(), machine, 400, 0, "stress", device="model"))
    assert all(report.saturations.values()), report.saturations
    assert report.passed
    gentle = verify(replace(CASE, profile="stress", steps=3))
    assert any("stress needs every kind" in reason for reason in gentle.vacuous)


def test_a_failing_side_is_an_error() -> None:
    with pytest.raises(AntevoltError, match="side of the comparison failed: .*steps were done"):
        verify(replace(CASE, deadline=1e-4))


class Side:
    """A process that does `each` steps in each hour of a clock that the wait itself moves."""

    def __init__(self, folder: Path, each: int) -> None:
        self.folder, self.each, self.hours = folder, each, 0
        folder.mkdir()

    def poll(self) -> int | None:
        (self.folder / "progress").write_text(str(self.each * self.hours))
        return None if self.hours < 100 else 0


@pytest.mark.parametrize("each", [0, 10])
def test_a_comparison_may_take_long_while_it_gets_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, each: int
) -> None:
    """One side stands still all the while, as one that is done does."""
    sides = [Side(tmp_path / "model", 0), Side(tmp_path / "device", each)]

    def sleep(_: float) -> None:
        for side in sides:
            side.hours += 1

    clock = SimpleNamespace(monotonic=lambda: 3600.0 * sides[0].hours, sleep=sleep)
    monkeypatch.setattr(both_sides, "time", clock)
    seen: list[int] = []
    with nullcontext() if each else pytest.raises(DeadlineExceeded, match="did not get on"):
        both_sides._wait(sides, [side.folder for side in sides], CASE, seen.append)
    assert len(seen) == (100 if each else 1)


def test_a_side_that_cannot_start_ends_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    start = both_sides._start

    def once(folder: Path) -> "subprocess.Popen[bytes]":
        if started:
            raise KeyboardInterrupt
        started.append(start(folder))
        return started[0]

    monkeypatch.setattr(both_sides, "_start", once)
    with pytest.raises(KeyboardInterrupt):
        verify(CASE)
    assert started[0].returncode is not None


def test_the_campaign_is_long_and_wide() -> None:
    cases = campaign()
    assert sum(case.steps for case in cases) >= 100_000
    shapes = {(c.machine.rows, c.machine.streams, c.machine.contexts) for c in cases}
    assert shapes >= {(1, 1, 1), (4, 1, 1), (3, 1, 1), (1, 8, 1), (3, 8, 1), (2, 4, 2)}
    assert {len(c.network.populations) - 1 for c in cases} >= {1, 2, 3, 4, 6}
    assert {c.network.schedule for c in cases} == {"sequential", "parallel"}
    assert {c.network.apply_every > 1 for c in cases} == {False, True}
    assert {c.machine.formats.word for c in cases} == {8, 12, 16, 18}
    assert {(c.machine.filters, c.machine.multipliers) for c in cases} > {(1, 1)}
    assert any(n % c.machine.rows for c in cases for n in c.network.sizes[1:])
    assert {c.profile for c in cases} == {"normal", "stress"}


def test_the_command_reports_and_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = tmp_path / "network.json", tmp_path / "out" / "result.json"
    write(path, NETWORK)
    arguments = ["verify", "--device", "model", "--network", str(path), "--steps"]
    with pytest.raises(SystemExit) as stop:
        cli.main([*arguments, "60", "--out", str(out)])
    printed = capsys.readouterr().out
    assert stop.value.code in (0, None)
    assert "60 steps" in printed
    assert "0 differing bits" in printed
    result = json.loads(out.read_text())
    assert result["passed"] is True
    assert result["cases"][0]["digest"] in printed
    with pytest.raises(SystemExit) as stop:
        cli.main([*arguments, "1"])
    assert stop.value.code == 1
    assert "VACUOUS" in capsys.readouterr().out


def test_a_campaign_goes_on_where_it_was_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cases = tmp_path / "result.json", [CASE, replace(CASE, seed=6), replace(CASE, seed=7)]
    monkeypatch.setattr("antevolt.host.campaign.commit", lambda: "abc")
    first = run_cases(cases[1:2], quiet=True, out=out)
    ran: list[Case] = []

    def counted(case: Case, progress: Progress | None = None) -> Report:
        ran.append(case)
        return verify(case, progress)

    monkeypatch.setattr("antevolt.host.verify_command.verify", counted)
    reports = run_cases(cases, quiet=True, out=out)
    assert ran == [cases[0], cases[2]]
    assert reports[1] == first[0]
    assert "1 of 3 cases are in" in " ".join(capsys.readouterr().err.split())
    kept = json.loads(out.read_text())
    assert (kept["planned"], [case["seed"] for case in kept["cases"]]) == (3, [5, 6, 7])
    monkeypatch.setattr("antevolt.host.campaign.commit", lambda: "abc+")  # files have changed
    run_cases(cases[:1], quiet=True, out=out)
    assert len(ran) == 3


def test_compiled_and_numpy_model_are_compared() -> None:
    report = verify(replace(CASE, device="model:numpy"))
    assert report.passed
    assert report.device == "model:numpy"
    fault = Fault(19, "WEIGHTS", 0, 1, 3)
    assert not verify(replace(CASE, device="model:numpy", fault=fault)).passed


def test_a_killed_comparison_leaves_nothing_running() -> None:
    """Both sides end soon after the process that started them, however that ended."""
    call = "from antevolt.host.cli import main; main()"
    options = ("--device=model:numpy", "--random=1", "--steps=100000")
    command = [sys.executable, "-c", call, "verify", *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as parent:
        end = time.monotonic() + 100
        while len(sides := _children(parent.pid)) < 2 and time.monotonic() < end:
            time.sleep(0.1)
        parent.kill()
    assert len(sides) == 2, (sides, parent.returncode)
    while any(map(_status, sides)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(map(_status, sides))


def _children(parent: int) -> list[int]:
    processes = [int(folder.name) for folder in Path("/proc").glob("[0-9]*")]
    return [one for one in processes if (status := _status(one)) and int(status[1]) == parent]


def _status(process: int) -> list[str]:
    """State, parent and so on; nothing of one that has ended, though its entry may stay a while."""
    try:
        found = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
    return found if found[0] != "Z" else []
