# SPDX-License-Identifier: Apache-2.0
"""Bytes of a ring, one after the other."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.ring import POINTER_BITS

__all__ = ["Reader"]


class Reader(wiring.Component):
    """Reads what is committed, from the start of the ring on.

    Members
    -------
    o : bytes
    end, address, data : of the ring; `address` is also its base
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
        m.d.comb += self.o.payload.eq(self.data)
        with m.If(self.o.valid):
            with m.If(self.o.ready):
                m.d.sync += [self.address.eq(self.address + 1), self.o.valid.eq(0)]
        with m.Else():  # the byte stands in the cycle after
            m.d.sync += self.o.valid.eq(self.address != self.end)
        return m
