# SPDX-License-Identifier: Apache-2.0
"""Recorded data: the arrays of a .npz file, as a device takes them."""

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.host.samples import Flags, Sizes, steps_of

__all__ = ["Data", "read_data"]

BROKEN = (
    *(OSError, ValueError, LookupError, EOFError, MemoryError, OverflowError, SyntaxError),
    *(RuntimeError, BadZipFile, zlib.error, struct.error),
)
"""What comes of files that are no .npz files, or only in part; RuntimeError: they are encrypted."""
FLAGS = ("valid", "first", "last", "target_valid")


@dataclass(frozen=True)
class Data:
    """Arrays as `Device.stream` takes them, [T, ...], a digest of them, and their file."""

    x: NDArray[Any]
    y: NDArray[Any] | None
    flags: dict[str, NDArray[Any]]
    digest: str
    path: Path

    @property
    def steps(self) -> int:
        return int(self.x.shape[0])

    def check(self, sizes: Sizes) -> None:
        """Raises BadInput, with the file and the place, for what `Device.stream` would refuse."""
        try:
            steps_of(sizes, self.x, self.y, Flags(**self.flags))
        except BadInput as error:
            raise BadInput(f"{self.path}: {error}") from error

    def part(self, start: int, end: int) -> dict[str, Any]:
        """Arguments of `Device.stream`."""
        flags = {name: value[start:end] for name, value in self.flags.items()}
        y = None if self.y is None else self.y[start:end]
        return {"samples": self.x[start:end], "targets": y, **flags}


def read_data(path: Path) -> Data:
    """A file .npz with x [T, S, inputs], and if there are some y [T, S, outputs] and flags [T, S]
    or [T]; what may be left out of the shapes is said in `samples.py`. Raises BadFile."""
    try:
        with path.open("rb") as raw:
            loaded = np.load(raw, allow_pickle=False)
            if not isinstance(loaded, np.lib.npyio.NpzFile):
                raise BadFile(
                    f"{path} holds one array; give an .npz with x, and y and flags if any"
                )
            with loaded as file:
                arrays = {name: file[name] for name in file.files}
    except BadFile:
        raise
    except BROKEN as error:
        raise BadFile(f"{path} is not a whole .npz file of numbers: {error}") from error
    unknown = set(arrays) - {"x", "y", *FLAGS}
    if "x" not in arrays or unknown:
        raise BadFile(
            f"{path} has {', '.join(sorted(arrays)) or 'nothing'}; it needs x, and may have y, "
            f"{', '.join(FLAGS)}"
        )
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or () in lengths.values():
        raise BadFile(f"the arrays of {path} differ in their first axis, the steps: {lengths}")
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    flags = {name: arrays[name] for name in FLAGS if name in arrays}
    return Data(arrays["x"], arrays.get("y"), flags, found.hexdigest(), path)
