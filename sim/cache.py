# SPDX-License-Identifier: Apache-2.0
"""Things that are built once and kept: where they lie, and one process at a time.

They lie under the user's cache folder (`$XDG_CACHE_HOME` or `~/.cache`, then `antevolt`), each kind
in a folder of its own, under names that hold a hash of everything they are made from.
"""

import fcntl
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from antevolt.hdl.spec.errors import DeadlineExceeded

__all__ = ["BUILD_SECONDS", "digest", "folder_of", "locked", "processor", "said"]

BUILD_SECONDS = 1800.0
"""Longest build; the largest cores take minutes on one slow processor."""


def folder_of(kind: str) -> Path:
    """Where things of this kind are kept; it need not be there yet."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "antevolt" / kind


def digest(*parts: bytes) -> str:
    """A hash of the parts, each with its length."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little") + part)
    return found.hexdigest()


def processor() -> str:
    """What `-march=native` depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    names = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU")
    return "\n".join([platform.machine(), *(line for line in lines if line.startswith(names))])


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock ends with the process that holds it, however it ends."""
    end = time.monotonic() + BUILD_SECONDS
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise DeadlineExceeded(
                        f"another process has been building for {BUILD_SECONDS:.0f} s ({path})"
                    ) from None
                time.sleep(0.2)
        yield


@contextmanager
def said(what: str) -> Iterator[None]:
    """Say on stderr what takes its time."""
    console = Console(stderr=True)
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(what, style=None, highlight=False)
        yield
