# SPDX-License-Identifier: Apache-2.0
"""The log of a run: one JSON object a line, each with its step; lines after a kill are whole."""

import json
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import synced, write_whole

__all__ = ["append", "cut", "read"]


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line; it is on the disk when this returns."""
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")
        synced(file)


def read(path: Path) -> list[dict[str, Any]]:
    """All lines; the last one may be torn, and is left out then.

    Raises BadFile for a file in which another line is none, or has no step.
    """
    if not path.exists():
        return []
    *lines, _torn = path.read_text(errors="replace").split("\n")
    try:
        found = [json.loads(line) for line in lines]
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{path} is not a run's log: {error}") from error
    if not all(isinstance(line, dict) and isinstance(line.get("step"), int) for line in found):
        raise BadFile(f"{path} is not a run's log: a line has no step")
    return found


def cut(path: Path, step: int) -> None:
    """Keep the lines up to a step; what came after it comes again."""
    kept = [line for line in read(path) if line["step"] <= step]
    write_whole(path, "".join(json.dumps(line) + "\n" for line in kept))
