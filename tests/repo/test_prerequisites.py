# SPDX-License-Identifier: Apache-2.0
"""`.ci/prerequisites` names what is missing in one line."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repository import ROOT

SHELL = shutil.which("sh") or "sh"
TOOLS = ("git", "make", "perl")


def check(programs: Path, python: str, *names: str) -> subprocess.CompletedProcess[str]:
    """Run with nothing but these programs on the PATH."""
    for name in names:
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    return subprocess.run(
        [SHELL, str(ROOT / ".ci" / "prerequisites"), python],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("compiler", ["c++", "g++", "clang++"])
def test_nothing_is_missing(tmp_path: Path, compiler: str) -> None:
    done = check(tmp_path, sys.executable, *TOOLS, compiler)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("tool", "said"), [*((tool, tool) for tool in TOOLS), ("g++", "a C++ compiler")]
)
def test_a_missing_tool_is_named(tmp_path: Path, tool: str, said: str) -> None:
    others = [name for name in (*TOOLS, "g++") if name != tool]
    done = check(tmp_path, sys.executable, *others)
    assert done.returncode == 1
    assert done.stderr == (
        f"antevolt needs {said}: install it with your package manager "
        f"(Debian: apt-get install {tool})\n"
    )


def test_python_that_does_not_start_is_named(tmp_path: Path) -> None:
    done = check(tmp_path, "python3.99", *TOOLS, "g++")
    assert done.returncode == 1
    assert done.stderr.startswith("antevolt needs Python 3.11 or later (python3.99 is not;")
    assert done.stderr.count("\n") == 1
