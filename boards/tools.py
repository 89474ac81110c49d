# SPDX-License-Identifier: Apache-2.0
"""The programs that builds are made with: found, run with a deadline, and their versions."""

import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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

    Raises BuildFailed where it is not installed, with the `remedy`, or fails, with the end of what
    it printed, and DeadlineExceeded after `limit` seconds.
    """
    beside = Path(sys.executable).with_name(tool)
    command = [str(beside) if beside.exists() else tool, *arguments]
    began, lines = time.monotonic(), []
    try:
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except FileNotFoundError:
        raise BuildFailed(f"{tool} is not installed; {remedy}") from None
    with process:
        watch = _watchdog(process, limit)
        try:
            for line in process.stdout or ():
                lines.append(line)
                if hear is not None:
                    hear(line.rstrip())
            code = process.wait()
        finally:
            watch()
            process.kill()  # where it was interrupted; nothing where it has ended
    if time.monotonic() - began > limit:
        raise DeadlineExceeded(f"{tool} took longer than {limit:.0f} s and was stopped")
    if code:
        raise BuildFailed(f"{tool} failed:\n{''.join(lines)[-2000:]}")
    return "".join(lines)


def _watchdog(process: "subprocess.Popen[str]", limit: float) -> Callable[[], None]:
    from threading import Timer

    timer = Timer(limit, process.kill)
    timer.daemon = True
    timer.start()
    return timer.cancel


def versions(*packages: str) -> dict[str, str]:
    """Versions of installed packages; those that are not there are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
