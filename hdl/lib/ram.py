# SPDX-License-Identifier: Apache-2.0
"""A memory with one read and one write port and a read latency of two cycles."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, MemoryData
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.family import family
from antevolt.hdl.lib.registers import delay
from antevolt.hdl.spec.machine import Machine

__all__ = ["Ram", "memory"]

PLAIN_OUTPUT = ("ice40", "ice40hx", "gowin")
"""Families whose blocks have no register at their output that the tools would find."""

STYLE = {"ecp5": {"ram_style": "distributed"}, "gowin": {"ram_style": "block"}}
"""What yosys is told. Left alone it makes the shallow ones of Gowin of LUTs, which are short there
where blocks are left."""

SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Depth and width of one DP16KD; a deep memory is cut into slices of its width, which needs no
multiplexer behind the blocks."""


class Ram(wiring.Component):
    """Words of `width` bits, `depth` a power of two; on ECP5 in block RAMs, or with depths of at
    most `lut_depth` in LUTs.

    Members
    -------
    raddr, rdata : read; rdata follows raddr by `latency` cycles (address and output register)
    waddr, wdata, wen : write

    All words are zero at power-up but those of `fill`; a reset changes none.
    A word must not be read in the cycle in which it is written, nor in the one before: the result
    is undefined on ECP5, or on families whose blocks have no register at their output, where the
    second register is that of the address (it has fewer bits).
    """

    latency = 2

    def __init__(self, width: int, depth: int, lut_depth: int = 0):
        self.width, self.depth, self.in_luts = width, depth, depth <= lut_depth
        self.data = MemoryData(shape=width, depth=depth, init=[])
        bits = (depth - 1).bit_length()
        super().__init__(
            {
                "raddr": In(bits),
                "rdata": Out(width),
                "waddr": In(bits),
                "wdata": In(width),
                "wen": In(1),
            }
        )

    @property
    def blocks(self) -> int:
        """DP16KD blocks on ECP5."""
        if self.in_luts:
            return 0
        return -(-self.width // self._shape()[1])

    def _shape(self) -> tuple[int, int]:
        return next(shape for shape in SHAPES if shape[0] >= self.depth)

    def fill(self, words: Sequence[int]) -> None:
        """What stands there at power-up, from the first word on; bits above a word do not count."""
        self.data.init = [word & (1 << self.width) - 1 for word in words]

    def copy(self, m: Module, other: "Ram") -> None:
        """Holds what the other is filled with by now and whatever is written to it, and is read by
        itself."""
        self.data.init = list(other.data.init)
        m.d.comb += [
            *(self.waddr.eq(other.waddr), self.wdata.eq(other.wdata), self.wen.eq(other.wen)),
        ]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if family(platform) == "ecp5" and not self.in_luts:
            for n in range(self.blocks):
                m.submodules[f"block{n}"] = self._ecp5(n)
            return m
        own = family(platform)
        luts, early = own == "ecp5", own == "ecp5" or own in PLAIN_OUTPUT
        m.submodules.memory = memory = Memory(self.data, attrs=STYLE.get(own, {}))
        write = memory.write_port()
        # LUTs are read at once: the register stands before them, not in them
        read = memory.read_port(domain="comb" if luts else "sync")
        m.d.comb += [
            read.addr.eq(delay(m, self.raddr, int(early), "address")),
            write.addr.eq(self.waddr),
            write.data.eq(self.wdata),
            write.en.eq(self.wen),
            self.rdata.eq(delay(m, read.data, int(luts or not early), "output")),
        ]
        return m

    def _ecp5(self, n: int) -> Instance:
        depth, width = self._shape()
        clk, one, zero = ClockSignal(), Const(1), Const(0)
        low, high = n * width, min(self.width, n * width + width)
        wdata = [self.wdata[i] if i < high else zero for i in range(low, low + width)]
        rdata: list[Any] = [self.rdata[i] for i in range(low, high)]
        rdata += [Signal(name=f"unused{n}_{i}") for i in range(width - len(rdata))]
        ports: dict[str, Any] = {
            **self._initial(n),
            "p_DATA_WIDTH_A": width,
            "p_DATA_WIDTH_B": width,
            "p_REGMODE_A": "OUTREG",
            "p_REGMODE_B": "OUTREG",
            "p_WRITEMODE_A": "READBEFOREWRITE",
            "p_WRITEMODE_B": "READBEFOREWRITE",
            "p_CSDECODE_A": "0b000",
            "p_CSDECODE_B": "0b000",
            "p_GSR": "DISABLED",
            "p_RESETMODE": "SYNC",
            "p_CLKAMUX": "CLKA",
            "p_CLKBMUX": "CLKB",
        }
        ports |= {f"i_{p}{x}": one for p in ("CE", "OCE") for x in "AB"}
        ports |= {"i_CLKA": clk, "i_CLKB": clk, "i_WEB": zero, "i_RSTA": zero, "i_RSTB": zero}
        ports |= {f"i_CS{x}{i}": zero for x in "AB" for i in range(3)}
        # 36 bits: byte enables sit in address bits 0..3 and the upper half is on port B's pins
        enables, shift = {36: (4, 5), 18: (2, 4), 9: (0, 3), 4: (0, 2), 2: (0, 1), 1: (0, 0)}[width]
        ports["i_WEA"] = one if enables else self.wen
        bits = len(self.raddr)
        for i in range(14):
            inside = shift <= i < shift + bits
            ports[f"i_ADB{i}"] = self.raddr[i - shift] if inside else zero
            ports[f"i_ADA{i}"] = self.waddr[i - shift] if inside else zero
            if i < enables:
                ports[f"i_ADA{i}"] = self.wen
        for i in range(width):
            ports[f"i_DI{'AB'[i // 18]}{i % 18}"] = wdata[i]
            if width == 36:
                ports[f"o_DO{'AB'[i // 18]}{i % 18}"] = rdata[i]
            else:
                ports[f"o_DOB{i}"] = rdata[i]
        return Instance("DP16KD", **ports)

    def _initial(self, n: int) -> dict[str, Const]:
        """The block's parameters that hold its words at power-up; what is not named is zero.

        It is 1024 rows of 18 bits, two bytes of 9; a parameter has 16 rows, 20 bits apart. Words of
        less than 9 bits fill the low 8 bits of the bytes, lowest first.
        """
        width, values = self._shape()[1], [0] * 64
        for index, word in enumerate(self.data.init):
            start = index * width
            row, place = divmod(start if width >= 9 else start // 8 * 9 + start % 8, 18)
            bits = (word >> n * width & (1 << width) - 1) << place
            for part in (row, row + 1):  # a word of 36 bits fills two rows
                values[part // 16 % 64] |= (bits & (1 << 18) - 1) << 20 * (part % 16)
                bits >>= 18
        return {
            f"p_INITVAL_{number:02X}": Const(value, 320)
            for number, value in enumerate(values)
            if value
        }


def memory(machine: Machine, width: int, depth: int) -> Ram:
    """A memory of a core, in LUTs where `Machine.lut_depth` allows."""
    return Ram(width, depth, machine.lut_depth)
