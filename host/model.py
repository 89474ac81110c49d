# SPDX-License-Identifier: Apache-2.0
"""The numpy model as a device (`sim/golden/core.py`)."""

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput, Closed
from antevolt.hdl.spec.flags import FLAG_BITS, Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.host.backend import Words
from antevolt.host.words import signed
from antevolt.sim.golden.core import GoldenCore

__all__ = ["ModelBackend"]


class ModelBackend:
    """The golden model behind the protocol of `host.backend`; it never waits."""

    def __init__(self, machine: Machine, deadline: float):
        self.machine = machine
        self._core: GoldenCore | None = GoldenCore(machine)

    @property
    def core(self) -> GoldenCore:
        """The model itself, for an observer; raises Closed."""
        if self._core is None:
            raise Closed("the model was closed; open a new device")
        return self._core

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        self.core.write(region, unit, index, np.asarray(data, dtype=np.int64))

    def read(self, region: Region, unit: int, index: int, count: int) -> Words:
        return self.core.read(region, unit, index, count)

    def run(self, x_words: ArrayLike, y_words: ArrayLike, steps: int, outputs: int) -> Words:
        """As the core does: flags with a stream's first word, targets only where flagged."""
        core, word, streams = self.core, self.machine.formats.word, self.machine.total_streams
        x_all = np.asarray(x_words, dtype=np.int64).reshape(steps, streams, -1)
        y_all, taken = np.asarray(y_words, dtype=np.int64), 0
        units = outputs // streams
        out = np.empty((steps, streams, units), dtype=np.int64)
        for n, x in enumerate(x_all):
            flags = x[:, 0] >> word & (1 << FLAG_BITS) - 1
            wanted = flags & (Flag.VALID | Flag.TARGET_VALID) == Flag.VALID | Flag.TARGET_VALID
            count = int(wanted.sum()) * units
            if taken + count > y_all.size:
                raise BadInput(f"step {n} wants {count} target words; {y_all.size - taken} are left")
            y = np.zeros((streams, units), dtype=np.int64)
            y[wanted] = signed(y_all[taken : taken + count], word).reshape(-1, units)
            taken += count
            raw = core.step(flags, signed(x, word), y)
            out[n] = (raw & (1 << word) - 1) | flags[:, None] << word
        return out.reshape(-1)

    def close(self) -> None:
        self._core = None
