# SPDX-License-Identifier: Apache-2.0
"""Several cycles of delay for a word, in memory made of LUTs where a family has it."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.family import LUT_MEMORY, family
from antevolt.hdl.lib.registers import delay

__all__ = ["Late", "late"]

OUTPUT = {"ecp5": 1, "gowin": 0}
"""Whether a register stands behind such a memory: on Gowin it would take a logic cell for each bit.
(Xilinx makes shift registers of plain chains.)"""
SHORTEST, NARROWEST, DEEPEST = 4, 6, 16  # cycles and bits that are worth it; words of a memory


class Late(wiring.Component):
    """`o` is what `i` was `cycles` cycles before. Nothing of it is reset.

    Members
    -------
    i, o : words of `width` bits;  cycles : SHORTEST..DEEPEST

    Elsewhere it is a chain of registers. The memory is written and read at the same place, which
    goes round: what is read is what was written one round before.
    """

    i: Any
    o: Any

    def __init__(self, width: int, cycles: int):
        self.width, self.cycles = width, cycles
        super().__init__({"i": In(width), "o": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        own = family(platform)
        if own not in LUT_MEMORY:
            m.d.comb += self.o.eq(delay(m, self.i, self.cycles, "word"))
            return m
        output = OUTPUT[own]
        depth = self.cycles - output
        memory = Memory(shape=self.width, depth=depth, init=[], attrs=LUT_MEMORY[own])
        m.submodules.memory = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        place = Signal(range(depth), reset_less=True)
        m.d.sync += place.eq(Mux(place == depth - 1, 0, place + 1))
        m.d.comb += [
            *(write.addr.eq(place), write.data.eq(self.i), write.en.eq(1), read.addr.eq(place)),
            self.o.eq(delay(m, read.data, output, "output")),
        ]
        return m


def late(m: Module, value: Any, cycles: int, name: str) -> Any:
    """`value` so many cycles later, as `registers.delay` does it, with fewer registers."""
    if len(value) < NARROWEST or cycles < SHORTEST:
        return delay(m, value, cycles, name)
    while cycles:
        part = min(cycles, DEEPEST)
        if part < SHORTEST:
            return delay(m, value, part, name)
        m.submodules[f"{name}_late{cycles}"] = unit = Late(len(value), part)
        m.d.comb += unit.i.eq(value)
        value, cycles = unit.o, cycles - part
    return value
