# SPDX-License-Identifier: Apache-2.0
"""Programs are heard line by line, end at their deadline, and say what went wrong."""

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
