# SPDX-License-Identifier: Apache-2.0
"""Text files that are whole at any time, whenever the writer is stopped."""

import os
from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, text: str) -> None:
    """Write a file aside, then put it in the place of the one before."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text)
    aside.replace(path)
