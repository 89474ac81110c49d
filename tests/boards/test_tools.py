# SPDX-License-Identifier: Apache-2.0
"""Programs are heard line by line, end at their deadline, and say what went wrong."""

import os
import sys
from pathlib import Path

import pytest

from antevolt.boards.tools import run, versions
from antevolt.hdl.spec.errors import BuildFailed, DeadlineExceeded

PYTHON = Path(sys.executable).name


def test_every_line_is_heard(tmp_path: Path) -> None:
    heard: list[str] = []
    text = run(tmp_path, PYTHON, "-c", "print('one'); print('two')", hear=heard.append)
    assert (heard, text) == (["one", "two"], "one\ntwo\n")


def test_a_failure_ends_with_what_was_printed(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match=r"failed:\nno such cell"):
        run(tmp_path, PYTHON, "-c", "import sys; sys.exit('no such cell')")


def test_a_program_that_hangs_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(DeadlineExceeded, match="longer than 1 s"):
        run(tmp_path, PYTHON, "-c", "import time; time.sleep(100)", limit=1.0)


def test_what_a_program_started_is_stopped_with_it(tmp_path: Path) -> None:
    """It has the other end of the pipe, too, and holds it longer than the program itself."""
    sleeper = "import time; time.sleep(100)"
    code = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleeper!r}])"
    with pytest.raises(DeadlineExceeded, match="longer than 1 s"):
        run(tmp_path, PYTHON, "-c", code, limit=1.0)


def test_a_program_has_no_input(tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    before = os.dup(0)
    os.dup2(ours, 0)
    try:
        assert run(tmp_path, PYTHON, "-c", "import sys; print(sys.stdin.read())", limit=5.0) == "\n"
    finally:
        os.dup2(before, 0)
        for each in (ours, theirs, before):
            os.close(each)


def test_what_is_no_text_is_replaced(tmp_path: Path) -> None:
    code = r"import sys; sys.stdout.buffer.write(b'net \xff\n')"
    assert run(tmp_path, PYTHON, "-c", code) == "net \ufffd\n"


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="yowasp-nextpnr-mars is not installed"):
        run(tmp_path, "yowasp-nextpnr-mars")


def test_an_error_of_the_listener_stops_the_program(tmp_path: Path) -> None:
    def deaf(line: str) -> None:
        raise ValueError(line)

    code = "print('x', flush=True); import time; time.sleep(100)"
    with pytest.raises(ValueError, match="x"):
        run(tmp_path, PYTHON, "-c", code, hear=deaf)


def test_versions_of_what_is_installed() -> None:
    assert set(versions("click", "no-such-package")) == {"click"}
