# SPDX-License-Identifier: Apache-2.0
"""The command line: one clean message for an error, lazy commands, useful exit codes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from antevolt.boards.catalogue import board
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population, write
from antevolt.host import cli
from antevolt.sim.docs import timing


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    captured = capsys.readouterr()
    code = stop.value.code
    return code if isinstance(code, int) else -1, captured.out, captured.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    assert code == 0
    for name in ("demo", "verify", "trace", "compile", "reference", "version"):
        assert name in out


def test_help_imports_no_command() -> None:
    program = (
        "import sys\n"
        "from antevolt.host.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "loaded = [m for m in sys.modules if m.startswith(('antevolt.sim', 'amaranth'))]\n"
        "sys.exit(len(loaded))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "verify" in done.stdout


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "verfy")
    assert code == 2
    assert "verfy" in err


def test_version_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "version", "--json")
    assert code == 0
    assert set(json.loads(out)) == {"antevolt", "python", "numpy"}


def test_an_error_is_one_message_and_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "network.json"
    path.write_text('{"inputs": 1, "popul')
    code, out, err = run(capsys, "compile", "--network", str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"antevolt: {path}: not JSON")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "words",
    [
        ("report", "run", "--out", ""),
        ("run", "net.json", "--data", "data.npz", "--out", "9" * 300),
        ("run", "net.json", "--data", "data.npz", "--out", "net.json"),
        ("report", "run", "--out", "9" * 300),
        ("report", "run", "--out", "nowhere/page.html"),
        ("--",),
    ],
)
def test_a_name_of_no_file_is_one_message(
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And exit code 2; nothing is written."""
    monkeypatch.chdir(tmp_path)
    write("net.json", Network(2, (Population(1, "linear"),)))
    np.savez("data.npz", x=np.zeros((2, 2)), y=np.zeros((2, 1)))
    assert run(capsys, "run", "net.json", "--data", "data.npz", "--out", "run")[0] == 0
    before = sorted(tmp_path.iterdir())
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err.strip()
    assert sorted(tmp_path.iterdir()) == before


def test_verify_wants_one_thing_to_verify(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "verify")
    assert code == 2
    assert "--campaign" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "fpga"], "'model', 'rtl'"),
        (["--word", "17"], "word is 17"),
        (["--rows", "0"], "rows is 0"),
    ],
)
def test_verify_refuses_what_there_is_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    path = tmp_path / "network.json"
    write(path, Network(1, (Population(2),)))
    code, _, err = run(capsys, "verify", "--network", str(path), "--steps", "5", *arguments)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("faults", "--faults", "5", "--mean", "-1"), "-1.0 is not in the range"),
        (("faults", "--seconds", "1", "--mean", "0"), "0.0 is not in the range"),
        (("faults", "--faults", "5", "--mean", "nan"), "'nan' is no finite number"),
        (("faults", "--faults", "5", "--seconds", "-1"), "-1.0 is not in the range"),
        (("soak", "--seconds", "-1"), "-1.0 is not in the range"),
        (("simulate", "--seconds", "-1"), "-1.0 is not in the range"),
        (("fuzz", "decoder", "--seconds", "-1"), "-1.0 is not in the range"),
    ],
)
def test_a_number_out_of_range_is_wrong_usage(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    "words", [("selftest",), ("run", "net.json", "--data", "data.npz", "--out", "run")]
)
@pytest.mark.parametrize("port", ["serial:/dev/none", "tcp:unix:none"])
def test_a_board_has_its_own_core(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], port: str
) -> None:
    """Also what is the default is refused where it is asked for."""
    code, _, err = run(capsys, *words, "--device", port, "--rows", "1", "--w-depth", "64")
    assert code == 2
    assert "leave out --rows, --w-depth" in err


def test_a_core_of_a_file_or_a_board(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The hint of what does not fit can be followed; a second word on the core is refused."""
    network, file = tmp_path / "network.json", tmp_path / "core.json"
    lagging = Population(2, "tanh", eta_tau_m=0.5)
    write(network, Network(1, (lagging, Population(1, "linear", rule="instantaneous"))))
    file.write_text(Machine(rows=2, time_constants=True).to_json())
    compiled = ("compile", "--network", str(network), "--json")
    code, out, _ = run(capsys, *compiled, "--rows", "2")
    assert code == 1
    assert "a core with time_constants (Machine, or --core FILE)" in json.loads(out)["message"]
    code, out, _ = run(capsys, *compiled, "--core", str(file))
    assert code == 0
    assert json.loads(out)["core"] == "2x1w18t"
    write(network, Network(1, (Population(1, "linear"),)))
    code, out, _ = run(capsys, *compiled, "--board", "ulx3s-12f")
    assert code == 0
    assert json.loads(out)["core"] == board("ulx3s-12f").machine.name
    both = ("--board", "ulx3s-12f", "--core", str(file), "--rows", "1")
    code, _, err = run(capsys, *compiled, *both)
    assert code == 2
    assert "--board says all of the core; leave out --rows, --core" in err
    assert "there is no board 'x'" in run(capsys, *compiled, "--board", "x")[2]
    code, _, err = run(capsys, "selftest", "--device", "serial:x", *both)
    assert code == 2
    assert "leave out --rows, --board, --core" in err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"rows": 0}, "rows is 0"),
        ({"tables": 1.5}, "tables is 1.5"),
        ({"rows": "2"}, "describes no core"),
        ({"traces": 1}, "traces is 1"),
        ({"formats": {"word": 18.0}}, "word is 18.0"),
        ({"formats": None}, "describes no core"),
        ({"columns": 3}, "has the keys"),
    ],
)
def test_a_file_of_no_core(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: dict[str, object], says: str
) -> None:
    file = tmp_path / "core.json"
    file.write_text(json.dumps(json.loads(Machine().to_json()) | change))
    code, _, err = run(capsys, "verify", "--random", "1", "--core", str(file))
    assert code == 2
    assert err.startswith(f"antevolt: {file} describes no core: ")
    assert says in err


def test_compile_prints_what_the_manual_shows(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The cycles of the issues, and of each operation only the operands that it has."""
    path = tmp_path / "network.json"
    write(path, timing.NETWORK)
    core = ("--rows", "3", "--streams", "2", "--multipliers", "2")
    code, out, _ = run(capsys, "compile", "--network", str(path), *core)
    issues = re.findall(r"^│ (\d+) +│ (\w+) ", out, re.MULTILINE)
    assert code == 0
    assert issues == re.findall(r"^\| (\d+) \| (\w+) ", timing.steps(), re.MULTILINE)
    assert re.search(r"│ ERROR +│ cost=1 n=2 weights=6 neurons=6 +│", out)
    assert re.search(r"│ END +│ +│", out)


def test_compile_says_what_does_not_fit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    write(path, Network(3, (Population(5), Population(2))))
    code, out, _ = run(capsys, "compile", "--network", str(path), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["fits"] is True
    assert found["cycles_learning"] > found["cycles_plain"] > 0
    write(path, Network(300, (Population(200), Population(2))))
    code, out, _ = run(capsys, "compile", "--network", str(path), "--json")
    found = json.loads(out)
    assert code == 1
    assert found["fits"] is False
    assert found["need"] > found["limit"]
