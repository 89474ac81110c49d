# SPDX-License-Identifier: Apache-2.0
"""The access port: a host's reads and writes of the core's memories, between steps."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access
from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS

__all__ = ["Gate", "request"]

request = data.StructLayout(
    {"write": 1, "region": 4, "unit": UNIT_BITS, "index": INDEX_BITS, "data": DATA_BITS}
)


class Gate(wiring.Component):
    """Serves one request at a time.

    Members
    -------
    i : requests;  o : one word per read
    idle : no step runs or starts;  wants : a request is there or at work, so that no step may start
    access : onto the bus, a cycle after the request is taken, or as it is taken in a core that is
        near;  reply : the word, `latency` cycles after its read

    A core that is near takes no write before the one before it has settled. Through a gate that is
    closed comes nothing.
    """

    i: Any
    o: Any
    idle: Any
    wants: Any
    access: Any
    reply: Any

    def __init__(self, latency: int, near: bool = False, closed: bool = False):
        self.latency, self.near, self.closed = latency, near, closed
        super().__init__(
            {
                "i": In(stream.Signature(request)),
                "o": Out(stream.Signature(DATA_BITS)),
                "idle": In(1),
                "wants": Out(1),
                "access": Out(Access()),
                "reply": In(DATA_BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.closed:
            return m
        timer, take = Signal(range(self.latency + 2)), Signal()
        last = Signal()  # of the timer
        serves = Signal()  # the state is not READY; with it, what starts a step is close at hand
        wanted, bus = self.i.payload, m.d.comb
        if not self.near:
            wanted, bus = register("wanted", request), m.d.sync
            # without an enable: nobody looks at it unless a strobe comes with it
            m.d.sync += wanted.eq(self.i.payload)
        bus += [
            self.access.write.eq(take & self.i.payload.write),
            self.access.read.eq(take & ~self.i.payload.write),
        ]
        m.d.comb += [
            *(self.access.region.eq(wanted.region), self.access.unit.eq(wanted.unit)),
            *(self.access.index.eq(wanted.index), self.access.data.eq(wanted.data)),
            *(self.i.ready.eq(take), take.eq(self.i.valid & self.idle & ~serves)),
            self.wants.eq(self.i.valid | serves),
        ]
        with m.FSM():
            with m.State("READY"):
                with m.If(take):
                    m.d.sync += [timer.eq(self.latency - self.near), last.eq(0), serves.eq(1)]
                    m.next = "SETTLE"
                    with m.If(~self.i.payload.write):
                        m.next = "READ"
            with m.State("SETTLE"):  # a write is on its way to the last tile
                m.d.sync += [timer.eq(timer - 1), last.eq(timer == 1)]
                follows = self.i.valid & self.i.payload.write
                with m.If(last if self.near else follows | last):
                    m.d.sync += serves.eq(0)
                    m.next = "READY"
            with m.State("READ"):
                # in every cycle, so that the enable is the state and nothing else: the last counts
                m.d.sync += [timer.eq(timer - 1), last.eq(timer == 1)]
                m.d.sync += self.o.payload.eq(self.reply)
                with m.If(last):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += self.o.valid.eq(1)
                with m.If(self.o.ready):
                    m.d.sync += serves.eq(0)
                    m.next = "READY"
        return m
