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
    end, address, data : of the ring, data two cycles after its address
    may_turn, target : at the end, go on there;  turns : it does, its address is another from the
        next cycle on
    """

    o: Any
    end: Any
    address: Any
    data: Any
    may_turn: Any
    target: Any
    turns: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "o": Out(stream.Signature(8)),
                "end": In(POINTER_BITS),
                "address": Out(POINTER_BITS),
                "data": In(8),
                "may_turn": In(1),
                "target": In(POINTER_BITS),
                "turns": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        looks, ended = Signal(), self.turns
        more = self.address != self.end
        m.d.comb += self.o.payload.eq(self.data)
        m.d.sync += [looks.eq(0), ended.eq(0)]
        with m.If(self.o.valid):
            with m.If(self.o.ready):
                m.d.sync += [self.address.eq(self.address + 1), self.o.valid.eq(0)]
                m.d.sync += looks.eq(1)
        with m.Elif(ended):
            m.d.sync += [self.address.eq(self.target), looks.eq(1)]
        with m.Elif(~looks):  # the byte stands two cycles after its address
            m.d.sync += [self.o.valid.eq(more), ended.eq(self.may_turn & ~more)]
        return m
