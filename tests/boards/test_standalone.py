# SPDX-License-Identifier: Apache-2.0
"""A board with a network in it: what is elaborated, what the report says, what is refused."""

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from refused import refusal

from antevolt.boards import build as builder
from antevolt.boards.build import Prepared, identify, prepare
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.model import predict
from antevolt.boards.parts import PARTS
from antevolt.boards.place import Clocked, Placed
from antevolt.boards.standalone import Standalone, standalone
from antevolt.boards.synthesis import Architecture, netlist
from antevolt.hdl.core.sequencer import Sequencer
from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import Network, Population, write
from antevolt.host.bake import bake
from antevolt.host.cli import antevolt, main

SMALL = Machine(w_depth=64, r_depth=32, state_depth=32, q_depth=16, io_depth=16, program_depth=64,
                tables=1, phi_log2=5, traces=False, softmax=False, sums=False)  # fmt: skip
BOARD = replace(BOARDS["ulx3s-12f"], machine=SMALL, hz=75e6, divide=1)
NETWORK = Network(1, (Population(6, "tanh", 3.0), Population(1, "linear")), eta=2.0**-3, seed=1)
TEACHER = "antevolt.hdl.lagged:Lagged"
LARGE = Network(1, (Population(4000, "tanh"), Population(1, "linear")))


def board(network: Network = NETWORK, teacher: str = TEACHER) -> Standalone:
    return standalone(BOARD, bake(network, BOARD.machine), teacher)


def test_the_design_has_contents_and_no_serial_line() -> None:
    made = board()
    name = identify(made)[0]
    design = prepare(made, name)
    assert "parameter \\INITVAL_00" in design.netlist
    assert "uart" not in design.constraints
    assert "led_0" in design.constraints
    plain = prepare(BOARD, name)
    assert "INITVAL" not in plain.netlist
    assert "uart" in plain.constraints
    assert name == identify(board())[0]
    other = board(NETWORK.with_(seed=2))
    assert identify(other)[0] not in (name, identify(BOARD)[0])


@pytest.mark.parametrize("architecture", ["ecp5", "ice40", "gowin"])
def test_synthesis_keeps_the_program(architecture: Architecture, tmp_path: Path) -> None:
    """As many bits are set in the netlist's memories as in the program's words."""
    contents = bake(NETWORK, SMALL).contents
    netlist(tmp_path, Sequencer(SMALL, contents), architecture, apart=False)
    cells = json.loads((tmp_path / "top.json").read_text())["modules"]["top"]["cells"]
    initial = [
        value
        for cell in cells.values()
        for name, value in cell["parameters"].items()
        if name.startswith("INIT") and cell["type"].startswith(("DP16KD", "SB_RAM", "SDP", "DPX"))
    ]
    words = contents.words(Region.PROGRAM)
    assert len(words) > 40
    assert sum(value.count("1") for value in initial) == sum(map(int.bit_count, words))


class Tools:
    """What the tools would do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cache: Path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
        for name in ("prepare", "synthesise", "pin", "place", "pack"):
            monkeypatch.setattr(builder, name, getattr(self, name))

    def prepare(self, board: Any, name: str) -> Prepared:
        return Prepared("netlist", "pins", "top.lpf", ())

    def synthesise(self, *_: Any) -> dict[str, int]:
        return {"LUT4": 100}

    def pin(self, *_: Any) -> int:
        return 0

    def place(self, *_: Any) -> Placed:
        return Placed(1, (Clocked("clock", 88.0, 75.0),), None, {"TRELLIS_COMB": (90, 24288)})

    def pack(self, folder: Path, *_: Any) -> Path:
        (folder / "top.bit").write_bytes(b"bits")
        return folder / "top.bit"


def test_the_command_says_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Tools(monkeypatch, tmp_path / "cache")
    monkeypatch.setitem(BOARDS, BOARD.name, BOARD)
    file, out = tmp_path / "mine.json", tmp_path / "out"
    write(file, NETWORK)
    arguments = ["build", BOARD.name, "--network", str(file), "--teacher", TEACHER]
    done = CliRunner().invoke(antevolt, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    told = json.loads((out / "report.json").read_text())["baked"]
    expected = bake(NETWORK, BOARD.machine).to_dict()
    assert told == {**expected, "teacher": TEACHER}
    page = (out / "report.md").read_text()
    assert f"Network {NETWORK.fingerprint[:12]} is in it" in page
    assert f"contents {expected['contents']}), taught by {TEACHER}" in page
    assert (out / "ulx3s-12f.bit").read_bytes() == b"bits"
    again = CliRunner().invoke(antevolt, [*arguments, "--out", str(out), "--json"])
    assert json.loads(again.stdout)["baked"] == told


def test_a_teacher_of_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "from antevolt.hdl.lagged import Lagged\n\n\nclass Mine(Lagged):\n    pass\n"
    (tmp_path / "my_teacher_of_test.py").write_text(text)
    made = board(teacher="my_teacher_of_test:Mine")
    assert made.told["teacher"] == "my_teacher_of_test:Mine"
    prepare(made, "0")


def test_what_is_refused() -> None:
    for teacher, said in (
        ("lagged", "it is named MODULE:CLASS"),
        ("no_such_module:Lagged", "No module named 'no_such_module'"),
        ("antevolt.hdl.lagged:Missing", "antevolt.hdl.lagged has no class Missing"),
        ("antevolt.hdl.lagged:samples", "is no class of Amaranth's wiring.Component"),
        ("antevolt.hdl.spec.network:Network", "is no class of Amaranth's wiring.Component"),
    ):
        assert said in refusal(lambda teacher=teacher: board(teacher=teacher))  # type: ignore[misc]
    wide = NETWORK.with_(inputs=3)
    assert "the network has 3 inputs" in refusal(lambda: board(wide))
    assert "weight pairs per row needs" in refusal(lambda: board(LARGE))
    assert "the core has 64" in refusal(lambda: board(LARGE))


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    """What was made before a teacher is refused is no matter for the user."""
    file = tmp_path / "wide.json"
    write(file, NETWORK.with_(inputs=3))
    call = "from antevolt.host.cli import main; main()"
    arguments = ["build", BOARD.name, "--network", str(file), "--teacher", TEACHER]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", call, *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the network has 3 inputs" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_options_that_belong_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.json"
    write(file, NETWORK)
    for arguments, said in (
        (["--teacher", TEACHER], "give it with --network"),
        (["--state", str(file)], "give it with --network"),
        (["--network", str(file)], "--teacher MODULE:CLASS"),
        (["--network", str(tmp_path / "none.json"), "--teacher", TEACHER], "cannot read"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["build", BOARD.name, *arguments])
        assert stop.value.code == 2
        assert said in capsys.readouterr().err


def test_records_are_of_presets(tmp_path: Path) -> None:
    file = tmp_path / "mine.json"
    write(file, NETWORK)
    arguments = ["build", BOARD.name, "--network", str(file), "--teacher", TEACHER, "--record"]

    def run() -> None:
        CliRunner().invoke(antevolt, arguments, catch_exceptions=False)

    assert "--record keeps builds of a board's preset" in refusal(run)


def test_the_link_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that just fits without a link is too large with one, by the estimate."""
    need = predict(SMALL, BOARD.part.architecture, linked=False).rams
    part = replace(BOARD.part, holds=replace(BOARD.part.holds, rams=need))
    monkeypatch.setitem(PARTS, BOARD.part_name, part)
    builder.foresee(Standalone(**{f.name: getattr(BOARD, f.name) for f in fields(BOARD)}))
    with pytest.raises(DoesNotFit, match="in RAMs"):
        builder.foresee(BOARD)
