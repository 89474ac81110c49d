# SPDX-License-Identifier: Apache-2.0
"""Counters of the link, in one memory: an event every few cycles at most."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.link import LINK_WORDS

__all__ = ["COUNTER_BITS", "Tally"]

COUNTER_BITS = 16


class Tally(wiring.Component):
    """Counts events by number; all are 0 some cycles after a reset.

    Members
    -------
    event, count : one of this kind, `LINK_WORDS` cycles after a reset at the earliest and 4 cycles
        after the last
    address, data : of one counter; it stands 2 cycles later while nothing is counted
    """

    event: Any
    count: Any
    address: Any
    data: Any

    def __init__(self) -> None:
        super().__init__(
            {"event": In(4), "count": In(1), "address": In(4), "data": Out(COUNTER_BITS)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=COUNTER_BITS, depth=LINK_WORDS, init=[])
        write, read = memory.write_port(), memory.read_port()
        place = Signal(4)
        m.d.comb += [write.addr.eq(place), self.data.eq(read.data), read.addr.eq(self.address)]
        with m.FSM():
            with m.State("CLEAR"):
                m.d.comb += [write.en.eq(1), write.data.eq(0)]
                m.d.sync += place.eq(place + 1)
                with m.If(place == LINK_WORDS - 1):
                    m.next = "IDLE"
            with m.State("IDLE"):
                m.d.sync += place.eq(self.event)
                with m.If(self.count):
                    m.next = "READ"
            with m.State("READ"):
                m.d.comb += read.addr.eq(place)
                m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += [write.en.eq(1), write.data.eq((read.data + 1)[:COUNTER_BITS])]
                m.next = "IDLE"
        return m
