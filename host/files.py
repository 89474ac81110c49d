# SPDX-License-Identifier: Apache-2.0
"""Files that are whole at any time, whenever the writer is stopped."""

import os
from contextlib import suppress
from pathlib import Path

from antevolt.hdl.spec.errors import BadFile

__all__ = ["write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file aside, then put it in the place of the one before.

    Raises BadFile where there cannot be such a file; what was there stays.
    """
    if not path.name:
        raise BadFile(f"{str(path)!r} is no name of a file")
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        raise BadFile(f"cannot write {path}: {error}") from error
