# SPDX-License-Identifier: Apache-2.0
"""Files that are whole at any time, whenever the writer or the machine stops, and their folders."""

import fcntl
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, BinaryIO

from antevolt.hdl.spec.errors import BadFile

__all__ = ["held", "make_folder", "synced", "write_record", "write_whole"]


def make_folder(path: Path) -> Path:
    """The folder, made with those above it if it is missing; raises BadFile where it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadFile(f"cannot make the folder {path}: {error}") from error
    return path


def held(path: Path) -> BinaryIO:
    """The file, made if it is missing, for this process alone until it is closed, or has ended.

    Raises BadFile where another one holds it.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise BadFile(f"cannot write {path}: {error}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise BadFile(f"another process writes {path}; wait for its end: {error}") from error
    return file


def synced(file: IO[Any]) -> None:
    """What was written to an open file is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file aside, then put it in the place of the one before; it is on the disk when this
    returns.

    Raises BadFile where there cannot be such a file; what was there stays.
    """
    if not path.name:
        raise BadFile(f"{str(path)!r} is no name of a file")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            synced(file)
        aside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise BadFile(f"cannot write {path}: {error}") from error


def _sync_folder(path: Path) -> None:
    """The names in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_record(path: Path, record: Any, indent: int = 1) -> None:
    """Write JSON, whole, in a folder that is made if it is missing; raises BadFile likewise."""
    make_folder(path.parent)
    write_whole(path, json.dumps(record, indent=indent) + "\n")
