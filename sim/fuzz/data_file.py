# SPDX-License-Identifier: Apache-2.0
"""The loader of recorded data: .npz files."""

import io
from random import Random

import numpy as np

from antevolt.host.run_data import read_data
from antevolt.sim.fuzz.folder import folder_of
from antevolt.sim.fuzz.mutate import changed_bytes

__all__ = ["DataTarget"]


class DataTarget:
    """Changed files to `read_data`."""

    name, block, refusals = "data", 200, ()

    def __init__(self) -> None:
        self._path = folder_of(self) / "data.npz"
        rng, self._files = np.random.default_rng(1), []
        for save in (np.savez, np.savez_compressed):
            for dtype in (np.float64, np.int16, np.bool_):
                x = rng.uniform(-3, 3, (8, 2)).astype(dtype)
                file = io.BytesIO()
                save(file, x=x, y=x[:, :1], first=np.arange(8) == 0)
                self._files.append(file.getvalue())

    def begin(self) -> None:
        pass

    def draw(self, draw: Random) -> bytes:
        return changed_bytes(draw, draw.choice(self._files), self._files, 3)

    def feed(self, item: bytes) -> None:
        self._path.write_bytes(item)
        data = read_data(self._path)
        data.part(0, min(3, data.steps))
