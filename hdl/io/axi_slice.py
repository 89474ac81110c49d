# SPDX-License-Identifier: Apache-2.0
"""A register slice: a stream whose three wires all come from registers on both sides."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.registers import register

__all__ = ["AxiSlice"]


class AxiSlice(wiring.Component):
    """Words of `width` bits, one per cycle, one cycle later; it holds two.

    Members
    -------
    i, o : the stream before and after; after a reset both rest
    """

    i: Any
    o: Any

    def __init__(self, width: int):
        self.width = width
        super().__init__({"i": In(stream.Signature(width)), "o": Out(stream.Signature(width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shown, spare = register("shown", self.width), register("spare", self.width)
        full, awake = Signal(), Signal()  # a word waits in `spare`; past the reset
        ready, moves = awake & ~full, self.o.ready | ~self.o.valid
        m.d.sync += awake.eq(1)
        m.d.comb += [self.i.ready.eq(ready), self.o.payload.eq(shown)]
        with m.If(moves):
            m.d.sync += [
                shown.eq(Mux(full, spare, self.i.payload)),
                self.o.valid.eq(full | self.i.valid & ready),
                full.eq(0),
            ]
        with m.Elif(self.i.valid & ready):
            m.d.sync += full.eq(1)
        with m.If(~full):  # so that the enable is one register
            m.d.sync += spare.eq(self.i.payload)
        return m
