# SPDX-License-Identifier: Apache-2.0
"""OUTPUT: words from the columns' output memories to the output stream."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, bits, flags
from antevolt.hdl.lib.registers import delay
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region

__all__ = ["Outlet"]


class Outlet(wiring.Component):
    """Reads a context's outputs over the access bus, one per cycle, as long as they can be stored.

    Members
    -------
    o : words with flags, in the order column, output
    start, n, address, context, prior : the operation; `done` in its last cycle
    access : reads;  reply : the word, `latency` cycles after its read
    flags_index, flags : flags of a stream
    waiting : at work, and no room for a word
    """

    o: Any
    start: Any
    n: Any
    address: Any
    context: Any
    prior: Any
    done: Any
    access: Any
    reply: Any
    flags_index: Any
    flags: Any
    waiting: Any

    def __init__(self, machine: Machine, latency: int):
        self.machine, self.latency = machine, latency
        word = machine.formats.word
        super().__init__(
            {
                "o": Out(stream.Signature(word + flags.size)),
                "start": In(1),
                "n": In(12),
                "address": In(14),
                "context": In(2),
                "prior": In(1),
                "done": Out(1),
                "access": Out(Access()),
                "reply": In(word),
                "flags_index": Out(max(1, bits(machine.total_streams))),
                "flags": In(flags),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine, word, access = self.machine, self.machine.formats.word, self.access
        depth = self.latency + 4
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=word + flags.size, depth=depth)
        room = Signal(range(depth + 1), init=depth)
        busy, column, issue = Signal(), Signal(range(machine.streams)), Signal()
        left, place = Signal(12), Signal(14)  # words to come of this stream; where the next stands
        index = Signal(self.flags_index.shape())
        fresh = self.prior & self.flags.first & self.flags.valid
        m.d.comb += [
            issue.eq(busy & room.any()),
            self.waiting.eq(busy & ~room.any()),
            self.flags_index.eq(index),
            *(access.read.eq(issue), access.region.eq(Region.OUTPUT)),
            *(access.unit.eq(column), access.index.eq(place)),
            *(self.o.payload.eq(fifo.r_data), self.o.valid.eq(fifo.r_rdy)),
            fifo.r_en.eq(self.o.ready),
        ]
        m.d.sync += room.eq(room - issue + (self.o.valid & self.o.ready))
        with m.If(self.start):
            m.d.sync += [busy.eq(1), column.eq(0), index.eq(self.context * machine.streams)]
            m.d.sync += [left.eq(self.n), place.eq(self.address)]
        with m.Elif(issue):
            m.d.sync += [left.eq(left - 1), place.eq(place + 1)]
            with m.If(left == 1):
                m.d.sync += [left.eq(self.n), place.eq(self.address)]
                m.d.sync += [column.eq(column + 1), index.eq(index + 1)]
                with m.If(column == machine.streams - 1):
                    m.d.sync += busy.eq(0)
                    m.d.comb += self.done.eq(1)
        tag = delay(m, Cat(issue, fresh, self.flags.as_value()), self.latency, "output", init=True)
        value = Mux(tag[1], 0, self.reply)
        m.d.comb += [fifo.w_en.eq(tag[0]), fifo.w_data.eq(Cat(value[:word], tag[2:]))]
        return m
