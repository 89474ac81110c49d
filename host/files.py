# SPDX-License-Identifier: Apache-2.0
"""Files that are whole at any time, whenever the writer is stopped."""

import os
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file aside, then put it in the place of the one before."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(content.encode() if isinstance(content, str) else content)
    aside.replace(path)
