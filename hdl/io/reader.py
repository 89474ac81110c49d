# SPDX-License-Identifier: Apache-2.0
"""Bytes of a ring, one after the other."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.ring import POINTER_BITS

__all__ = ["Reader"]


class Reader(wiring.Component):
    """Reads what is committed, from the start of the ring on.

    Members
    -------
    o : bytes
    end, address, data : of the ring, data two cycles after its address, which is also the base
    """

    o: Any
    end: Any
    address: Any
    data: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "o": Out(stream.Signature(8)),
                "end": In(POINTER_BITS),
                "address": Out(POINTER_BITS),
                "data": In(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        looks = Signal()
        m.d.comb += self.o.payload.eq(self.data)
        m.d.sync += looks.eq(0)
        with m.If(self.o.valid):
            with m.If(self.o.ready):
                m.d.sync += [self.address.eq(self.address + 1), self.o.valid.eq(0)]
                m.d.sync += looks.eq(1)
        with m.Elif(~looks):  # the byte stands two cycles after its address
            m.d.sync += self.o.valid.eq(self.address != self.end)
        return m
