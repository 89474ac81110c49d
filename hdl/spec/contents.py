# SPDX-License-Identifier: Apache-2.0
"""The words that a core's memories and registers hold at power-up, before anybody wrote any."""

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, Region, Register, size

__all__ = ["Contents", "is_sealed"]


class Contents:
    """Written and read like the core itself, so that what loads a core fills these, too.

    Words are unsigned, in the format of the access port; those that nobody wrote are zero. Counters
    begin with zero and the core knows by itself what it is: of the registers only the writable ones
    count, and those that nobody wrote begin as in a core without contents.
    """

    def __init__(self, machine: Machine):
        self.machine, self.sealed = machine, False
        self._words: dict[tuple[Region, int], Raw] = {}
        self._registers: set[int] = set()

    def __repr__(self) -> str:
        return f"<Contents {self.digest}>"

    def seal(self) -> "Contents":
        """The same words for a core whose memories only its own operations read and write."""
        own = Contents(self.machine)
        own._words = {place: words.copy() for place, words in self._words.items()}
        own._registers, own.sealed = set(self._registers), True
        return own

    @property
    def digest(self) -> str:
        """Of all words, 16 hexadecimal digits."""
        found = hashlib.sha256()
        for region, unit, index, words in self.blocks():
            if region == Region.REGISTERS or words.any():
                found.update(repr((int(region), unit, index)).encode())
                found.update(words.astype("<i8").tobytes())
        return found.hexdigest()[:16]

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        """Write consecutive words; raises BadInput for words outside the region."""
        words = np.atleast_1d(np.asarray(data, dtype=np.int64))
        own = self._region(region, unit, index, len(words))
        own[index : index + len(words)] = words & (1 << DATA_BITS) - 1
        if region == Region.REGISTERS:
            self._registers |= set(range(index, index + len(words)))

    def read(self, region: Region, unit: int, index: int, count: int) -> Raw:
        """Read consecutive words; raises BadInput for words outside the region."""
        return self._region(region, unit, index, count)[index : index + count].copy()

    def blocks(self) -> Iterator[tuple[Region, int, int, Raw]]:
        """Region, unit, first index and words of all that was written."""
        for (region, unit), words in sorted(self._words.items()):
            if region != Region.REGISTERS:
                yield region, unit, 0, words.copy()
        for number in sorted(self._registers):
            yield Region.REGISTERS, 0, number, self.read(Region.REGISTERS, 0, number, 1)

    def words(self, region: Region, unit: int = 0, way: tuple[int, int] = (0, 0)) -> list[int]:
        """Those of one memory, without the zeros at its end.

        way  (bits, n): the region interleaves 2^bits memories, this is number n of them
        """
        own = self._words.get((region, unit), np.zeros(0, dtype=np.int64))[way[1] :: 1 << way[0]]
        there = np.flatnonzero(own)
        used = int(there[-1]) + 1 if there.size else 0
        return [int(word) for word in own[:used]]

    def register(self, register: Register, otherwise: int = 0) -> int:
        """The word of a register; `otherwise` where nobody wrote it."""
        if register not in self._registers:
            return otherwise
        return int(self.read(Region.REGISTERS, 0, register, 1)[0])

    def _region(self, region: Region, unit: int, index: int, count: int) -> Raw:
        units, depth = size(self.machine, region)
        if not (0 <= unit < units and index >= 0 and index + count <= depth):
            raise BadInput(
                f"{region.name} {unit}, words {index}..{index + count - 1}: this core has "
                f"{units} of {depth} words"
            )
        return self._words.setdefault((region, unit), np.zeros(depth, dtype=np.int64))


def is_sealed(contents: Contents | None) -> bool:
    """Nothing but its own operations reads and writes the memories of such a core."""
    return contents is not None and contents.sealed
