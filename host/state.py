# SPDX-License-Identifier: Apache-2.0
"""Where every weight and every state of a network lies in a core's memories, and their names.

A `Place` holds, for each element of an array, the word it lies in and the bits of it. Reading
gathers, writing replaces these bits and keeps the others, such as the constant one beside a rate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import QFormat, Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network
from antevolt.host.backend import Backend
from antevolt.host.checkpoint import State
from antevolt.host.compile import Layout
from antevolt.host.samples import real_array
from antevolt.host.words import signed

__all__ = ["Memory", "Place"]

RAW = ".raw"
REGISTERS = {
    "register.step": Register.STEP,
    "register.seed": Register.SEED,
    "register.apply_every": Register.APPLY_EVERY,
    "register.learned": Register.LEARNED,
}


@dataclass(frozen=True)
class Place:
    """Where an array lies: unit, index and lowest bit of each element, all of the array's shape."""

    region: Region
    unit: NDArray[np.int64]
    index: NDArray[np.int64]
    shift: NDArray[np.int64]
    fmt: QFormat

    @property
    def shape(self) -> tuple[int, ...]:
        return self.unit.shape

    def gather(self, backend: Backend) -> Raw:
        """The integers that lie there."""
        words, at = self._words(backend)
        return signed(words[at] >> self.shift, self.fmt.width)

    def scatter(self, backend: Backend, raw: Raw) -> None:
        """Put integers there, which are in the range of the format."""
        words, at = self._words(backend)
        mask = (1 << self.fmt.width) - 1
        for shift in np.unique(self.shift):  # two halves of one word do not go in one assignment
            here = self.shift == shift
            place = tuple(a[here] for a in at)
            words[place] = (words[place] & ~(mask << shift)) | (raw[here] & mask) << shift
        first = int(self.index.min())
        for row, unit in zip(words, np.unique(self.unit), strict=True):
            backend.write(self.region, int(unit), first, row)

    def _words(
        self, backend: Backend
    ) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """The span of words that holds the array, by unit, and each element's place in it."""
        first, end = int(self.index.min()), int(self.index.max()) + 1
        units = np.unique(self.unit)
        words = np.stack([backend.read(self.region, int(u), first, end - first) for u in units])
        return words, (np.searchsorted(units, self.unit), self.index - first)
