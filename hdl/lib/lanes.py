# SPDX-License-Identifier: Apache-2.0
"""Words that are read side by side, and written one at a time."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.family import family
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.lib.registers import delay

__all__ = ["TOGETHER", "Lanes"]

TOGETHER = ("ice40", "ice40hx")
"""Families whose blocks have a write enable for each bit: all words stand in one memory, which
takes no block for what is left over of each."""


class Lanes(wiring.Component):
    """`count` words of `width` bits at each of `depth` places.

    Members
    -------
    raddr, rdata : read; rdata, the words one after another, follows raddr by `Ram.latency` cycles
    waddr, wdata : write, the same word to all that are enabled
    wen : a bit for each

    What `Ram` says of power-up, of resets and of reading what is being written holds here, too.
    """

    raddr: Any
    rdata: Any
    waddr: Any
    wdata: Any
    wen: Any

    def __init__(self, count: int, width: int, depth: int, lut_depth: int = 0):
        self.count, self.width, self.depth, self.lut_depth = count, width, depth, lut_depth
        self.words: list[list[int]] = [[] for _ in range(count)]
        bits = (depth - 1).bit_length()
        super().__init__(
            {
                "raddr": In(bits),
                "rdata": Out(count * width),
                "waddr": In(bits),
                "wdata": In(width),
                "wen": In(count),
            }
        )

    def fill(self, n: int, words: Sequence[int]) -> None:
        """What word n of each place is at power-up; bits above a word do not count."""
        self.words[n] = [word & (1 << self.width) - 1 for word in words]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if family(platform) in TOGETHER:
            self._together(m)
        else:
            self._apart(m)
        return m

    def _together(self, m: Module) -> None:
        """The address is registered, as in a `Ram` of these families."""
        init = [
            sum(word << n * self.width for n, word in enumerate(place))
            for place in zip_longest(*self.words, fillvalue=0)
        ]
        data = MemoryData(shape=self.count * self.width, depth=self.depth, init=init)
        m.submodules.memory = memory = Memory(data)
        write, read = memory.write_port(granularity=1), memory.read_port()
        m.d.comb += [
            *(read.addr.eq(delay(m, self.raddr, 1, "address")), self.rdata.eq(read.data)),
            *(write.addr.eq(self.waddr), write.data.eq(self.wdata.replicate(self.count))),
            write.en.eq(Cat(one.replicate(self.width) for one in self.wen)),
        ]

    def _apart(self, m: Module) -> None:
        """A memory for each word."""
        for n in range(self.count):
            m.submodules[f"lane{n}"] = ram = Ram(self.width, self.depth, self.lut_depth)
            ram.fill(self.words[n])
            m.d.comb += [
                *(ram.raddr.eq(self.raddr), self.rdata.word_select(n, self.width).eq(ram.rdata)),
                *(ram.waddr.eq(self.waddr), ram.wdata.eq(self.wdata), ram.wen.eq(self.wen[n])),
            ]
