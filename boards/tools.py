# SPDX-License-Identifier: Apache-2.0
"""The programs that builds are made with: found, run with a deadline, and their versions."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Timer

from antevolt.hdl.spec.errors import BuildFailed, DeadlineExceeded
from antevolt.host.extras import install

__all__ = ["HOURS", "run", "versions"]

HOURS = 7200.0
"""Seconds that one program may take; a full ECP5-85F needs up to one hour on a slow processor."""

Hear = Callable[[str], None]


def run(
    folder: Path,
    tool: str,
    *arguments: str,
    hear: Hear | None = None,
    limit: float = HOURS,
    remedy: str = f"{install('build')} brings it",
) -> str:
    """What `tool` printed, run in `folder`; `hear` gets every line as it comes.

    It has no input, and ends with all that it started at the limit and when this is interrupted.
    Raises BuildFailed where it is not installed, with the `remedy`, or fails, with the end of what
    it printed, and DeadlineExceeded after `limit` seconds.
    """
    beside = Path(sys.executable).with_name(tool)
    command = [str(beside) if beside.exists() else tool, *arguments]
    began, lines = time.monotonic(), []
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError:
        raise BuildFailed(f"{tool} is not installed; {remedy}") from None
    with process:
        timer = Timer(limit, _stop, (process,))
        timer.daemon = True
        timer.start()
        try:
            for line in process.stdout or ():
                lines.append(line)
                if hear is not None:
                    hear(line.rstrip())
            code = process.wait()
        finally:
            timer.cancel()
            _stop(process)
    if time.monotonic() - began > limit:
        raise DeadlineExceeded(f"{tool} took longer than {limit:.0f} s and was stopped")
    if code:
        raise BuildFailed(f"{tool} failed:\n{''.join(lines)[-2000:]}")
    return "".join(lines)


def _stop(process: "subprocess.Popen[str]") -> None:
    """The session of a program, which it leads; nothing where it has ended."""
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages; those that are not there are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
