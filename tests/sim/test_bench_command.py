# SPDX-License-Identifier: Apache-2.0
"""`antevolt bench`: who wins is told as it is; the rival runs; cycles grow as they should."""

from pathlib import Path

import pytest

import antevolt
from antevolt.boards.catalogue import BOARDS
from antevolt.hdl.spec.errors import BuildFailed, DeadlineExceeded
from antevolt.hdl.spec.machine import Machine
from antevolt.host.compile import compile
from antevolt.host.device import Device
from antevolt.sim.peers import bench, cpu
from antevolt.sim.peers.bench import NETWORK, Row, boards
from antevolt.sim.peers.command import verdict
from antevolt.sim.peers.growth import PANELS, cycles, picture

CORE = "one processor core"


def row(name: str, streams: int, microseconds: float, synapses: float) -> Row:
    how = "measured" if name == CORE else "100 cycles at 75 MHz"
    return Row(name, streams, microseconds, synapses, how)


def test_the_rival_runs() -> None:
    found = cpu.run(8, (1, 5, 2), measurements=1)
    assert (found["streams"], found["synapses"]) == (8, 15)
    assert 0 < abs(found["check"]) < 2  # an output after learning, of a teacher within +-1


def test_the_fastest_of_some_measurements_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of as many steps as take about SECONDS."""
    seconds, asked = iter((0.01, 0.5, 0.25, 1.0)), []

    def measure(program: Path, steps: int, sizes: tuple[int, ...]) -> cpu.Timing:
        asked.append(steps)
        taken = next(seconds)
        return {"seconds": taken, "learned_synapses_per_s": steps / taken}

    monkeypatch.setattr(cpu, "_build", lambda streams: Path("rival"))
    monkeypatch.setattr(cpu, "_measure", measure)
    assert cpu.run(1, (1, 5, 2))["seconds"] == 0.25
    assert asked == [20, *[int(20 * cpu.SECONDS / 0.01)] * 3]


def test_a_rival_that_cannot_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildFailed, match="there is no C compiler"):
        cpu.run(1, (1, 5, 2))


@pytest.fixture
def rival(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is measured, to be written."""
    program = tmp_path / "rival"
    program.touch(0o755)
    monkeypatch.setattr(cpu, "_build", lambda streams: program)
    return program


def test_a_rival_that_fails(rival: Path) -> None:
    rival.write_text("#!/bin/sh\necho no such instruction >&2\nexit 3\n")
    with pytest.raises(BuildFailed, match=r"failed \(3\):\nno such instruction"):
        cpu.run(1, (1, 5, 2))
    rival.unlink()
    with pytest.raises(BuildFailed, match="does not start"):
        cpu.run(1, (1, 5, 2))


def test_a_rival_that_comes_to_no_end(rival: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rival.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(cpu, "LIMIT", 0.2)
    with pytest.raises(DeadlineExceeded, match="within 0.2 s"):
        cpu.run(1, (1, 5, 2))


@pytest.mark.parametrize(("board", "winner"), [(2e9, "the board"), (5e8, "the processor core")])
def test_whoever_wins_is_named(board: float, winner: str) -> None:
    found = [row(CORE, 1, 10.0, 8e8), row(CORE, 48, 90.0, 1e9), row("ulx3s-85f", 7, 50.0, board)]
    (line, _) = verdict(found)
    assert f"{board / 1e9:.2f} times" in line
    assert line.endswith(f"{winner} wins")


def test_one_stream_is_compared_by_its_step() -> None:
    found = [row(CORE, 1, 10.0, 8e8), row("low-latency", 1, 20.0, 4e8)]
    assert "0.50 times as fast as one processor core: the processor core wins" in verdict(found)[1]


def test_boards_that_hold_the_network() -> None:
    found = {r.name: r for r in boards()}
    assert "icebreaker" not in found
    target = BOARDS["ulx3s-85f"]
    table = compile(NETWORK, target.machine).timetable
    own = found["ulx3s-85f"]
    assert f"{table.cycles_learning} cycles" in own.how
    assert own.synapses == pytest.approx(
        1e6 * NETWORK.weight_count * own.streams / own.microseconds
    )


def test_the_netlists_cycles_are_the_compilers(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the model, which counts as the netlist does (`antevolt verify` compares them)."""

    def open_model(name: str, machine: Machine, deadline: float) -> Device:
        assert name == "rtl"
        return antevolt.open("model", machine=machine, deadline=deadline)

    monkeypatch.setattr(bench, "open_device", open_model)
    count = compile(NETWORK, bench.SIMULATED).timetable.cycles_learning
    assert (
        f"measured; {count:.1f} cycles a step, the compiler says {count}" in bench.simulated().how
    )


def test_cycles_grow_and_rows_make_them_fewer(tmp_path: Path) -> None:
    for name in ("layers", "width", "streams"):
        found = [cycles(name, value)[0] for value in (PANELS[name][0], PANELS[name][-1])]
        assert found[0] < found[1], name
    rows = [cycles("rows", value)[0] for value in (1, 4)]
    assert rows[0] > rows[1]
    picture(tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000
