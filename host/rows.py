# SPDX-License-Identifier: Apache-2.0
"""A file of rows of float64 numbers that only grows, so that a kill loses nothing before its end.

Little endian, row after row, nothing else: `numpy.fromfile(path, "<f8").reshape(-1, width)`.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import synced

__all__ = ["DTYPE", "Rows"]

DTYPE = "<f8"


class Rows:
    """The file at `path`, of rows [width], width > 0."""

    def __init__(self, path: Path, width: int):
        self.path, self.width = path, width

    def cut(self, count: int) -> None:
        """Keep the first `count` rows. Raises BadFile for a file that has fewer."""
        wanted = count * self.width * 8
        self.path.touch()
        if self.path.stat().st_size < wanted:
            raise BadFile(f"{self.path} is shorter than its checkpoint says; it was changed")
        os.truncate(self.path, wanted)

    def append(self, rows: NDArray[Any]) -> None:
        """Add rows [any, width]; they are on the disk when this returns."""
        with self.path.open("ab") as file:
            file.write(np.ascontiguousarray(rows, dtype=DTYPE).tobytes())
            synced(file)

    def read(self) -> NDArray[np.float64]:
        """[rows, width], all whole rows; read from the disk as they are looked at."""
        size = self.path.stat().st_size if self.path.exists() else 0
        count = size // (8 * self.width)
        if not count:
            return np.zeros((0, self.width))
        return np.memmap(self.path, DTYPE, "r", shape=(count, self.width))
