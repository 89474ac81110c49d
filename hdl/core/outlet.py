# SPDX-License-Identifier: Apache-2.0
"""OUTPUT: words from the columns' output memories to the output stream."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply, bits, first_stream, flags, ranges
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.largest import largest
from antevolt.hdl.lib.late import late
from antevolt.hdl.lib.ram import Ram, memory
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.lib.saturate import LATENCY, saturate
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import OUTPUT_SUM_BITS, Region
from antevolt.hdl.spec.outputs import MODE_BITS, NEEDS_SUMS, SHIFT_BITS, OutputMode

__all__ = ["Outlet"]

ADD = 2 + LATENCY  # a word from the columns to its new sum
SHIFT = 2 + LATENCY  # a new sum to a word

tag = data.StructLayout(
    {
        "en": 1,
        "fresh": 1,  # reads zero
        "emits": 1,  # leaves the core
        "head": 1,  # of its stream
        "valid": 1,
        "starts": 1,  # a sequence: its sum is zero
        "flags": flags,
    }
)
"""What goes with a word on its way."""


class Outlet(wiring.Component):
    """Reads a context's outputs over the access bus, one per cycle, as long as they can be stored.

    Members
    -------
    o : words with flags, in the order column, output
    start, n, address, context, prior : the operation, at its start and a cycle before; `done` in
        its last cycle;  taking : at work, from the cycle after its start on
    access : reads;  reply : the word, `latency` cycles after its read
    flags_index, flags : flags of a stream
    mode, shift, due : which words leave the core (`spec.outputs`); due: in mode EVERY these
    waiting : at work, and no room for a word
    unsettled : sums are on their way
    saturated : sums and words that were limited this cycle
    bus, bus_reply : the sums on the access bus

    What leaves changes no cycle of the operation. With sums, a word takes ADD + SHIFT cycles more.
    """

    o: Any
    start: Any
    n: Any
    address: Any
    context: Any
    prior: Any
    done: Any
    taking: Any
    access: Any
    reply: Any
    flags_index: Any
    flags: Any
    mode: Any
    shift: Any
    due: Any
    waiting: Any
    unsettled: Any
    saturated: Any
    bus: Any
    bus_reply: Any

    def __init__(self, machine: Machine, latency: int, contents: Contents | None = None):
        self.machine, self.latency, self.contents = machine, latency, contents
        # a register before the FIFO, unless it is near
        self.way = latency + (ADD + SHIFT if machine.sums else 0) + (not machine.near)
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
                "taking": Out(1),
                "access": Out(Access()),
                "reply": In(word),
                "flags_index": Out(max(1, bits(machine.total_streams))),
                "flags": In(flags),
                "mode": In(MODE_BITS),
                "shift": In(SHIFT_BITS),
                "due": In(1),
                "waiting": Out(1),
                "unsettled": Out(1),
                "saturated": Out(2),
                "bus": In(Access()),
                "bus_reply": Out(Reply()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, depth = self.machine.formats.word, self.way + 6
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=word + flags.size, depth=depth)
        room = Signal(range(depth + 1), init=depth)
        free = Signal(init=1)  # for the next word too
        m.d.sync += free.eq(room[1:].any())
        issue, now = self._walk(m, free)
        en = delay(m, now.en, self.latency - 1, "output", init=True)
        then = tag(Cat(en, late(m, now.as_value()[1:], self.latency - 1, "output")))
        value = Mux(then.fresh, 0, self.reply).as_signed()
        if self.machine.sums:
            then, value = self._sums(m, then, value, self.access.unit, self.access.index)
        dropped, left, freed = Signal(), Signal(), Signal(2)
        m.d.sync += [
            *(dropped.eq(then.en & ~then.emits), left.eq(self.o.valid & self.o.ready)),
            *(freed.eq(left + dropped), room.eq(room - issue + freed)),
        ]
        before = m.d.comb if self.machine.near else m.d.sync
        before += [
            fifo.w_en.eq(then.en & then.emits),
            fifo.w_data.eq(Cat(value[:word], then.flags.as_value())),
        ]
        m.d.comb += [
            *(self.taking.eq(self.busy), self.waiting.eq(self.busy & ~free)),
            *(self.o.payload.eq(fifo.r_data), self.o.valid.eq(fifo.r_rdy)),
            fifo.r_en.eq(self.o.ready),
        ]
        return m

    def _walk(self, m: Module, room: Any) -> tuple[Any, Any]:
        """Reads of the words, and the tag of the one that was read a cycle before."""
        machine, access = self.machine, self.access
        self.busy, column, issue = Signal(), Signal(range(machine.streams)), Signal()
        counts, places = ranges(machine)
        left, place = Signal(counts), Signal(places)  # words to come of this stream; the next's
        n, address, prior = Signal(counts), Signal(places), Signal()  # as at the start
        index = Signal(self.flags_index.shape())
        now, own = Signal(tag), register("own_flags", flags)
        last, single, final = Signal(), Signal(), Signal()  # word, of each stream, and column
        of_one = machine.streams == 1
        alone = delay(m, self.n == 1, 1, "alone")  # a word of each stream
        was_last, was_head = register("was_last", 1), register("was_head", 1)
        en = delay(m, issue, 1, "issued", init=True)
        m.d.sync += [
            own.eq(self.flags),
            was_last.eq(last),
            was_head.eq(left == n),
        ]
        emits = self._emits(m, own, was_last)
        m.d.comb += [
            issue.eq(self.busy & room),
            self.flags_index.eq(index),
            # no constant: all registers of one are the same, and would be shared anywhere
            *(access.read.eq(issue), access.region.eq(Mux(issue, Region.OUTPUT, 0))),
            *(access.unit.eq(column), access.index.eq(place)),
            *(now.en.eq(en), now.fresh.eq(prior & own.first & own.valid)),
            *(now.emits.eq(emits), now.flags.eq(own), now.head.eq(was_head)),
            *(now.valid.eq(own.valid), now.starts.eq(own.first)),
        ]
        with m.If(self.start):
            m.d.sync += [self.busy.eq(1), column.eq(0)]
            m.d.sync += index.eq(first_stream(machine, self.context))
            m.d.sync += [left.eq(self.n), place.eq(self.address), final.eq(of_one)]
            m.d.sync += [n.eq(self.n), address.eq(self.address), prior.eq(self.prior)]
            m.d.sync += [last.eq(alone), single.eq(alone)]
        with m.Elif(issue):
            m.d.sync += [left.eq(left - 1), place.eq(place + 1), last.eq(left == 2)]
            with m.If(last):
                m.d.sync += [left.eq(n), place.eq(address), last.eq(single)]
                m.d.sync += [column.eq(column + 1), index.eq(index + 1)]
                m.d.sync += final.eq(of_one | (column == machine.streams - 2))
                with m.If(final):
                    m.d.sync += self.busy.eq(0)
                    m.d.comb += self.done.eq(1)
        return issue, now

    def _emits(self, m: Module, own: Any, last: Any) -> Signal:
        """Whether the word at hand leaves the core, the last one of its stream or not."""
        emits, ends = Signal(), own.valid & own.last
        with m.Switch(self.mode):
            with m.Case(OutputMode.EVERY):
                m.d.comb += emits.eq(self.due)
            with m.Case(OutputMode.LAST):
                m.d.comb += emits.eq(ends)
            if self.machine.sums:
                with m.Case(OutputMode.SUM):
                    m.d.comb += emits.eq(ends)
                with m.Case(OutputMode.ARGMAX):
                    m.d.comb += emits.eq(ends & last)
        return emits

    def _sums(self, m: Module, then: Any, value: Any, unit: Any, index: Any) -> tuple[Any, Any]:
        """The word that leaves, ADD + SHIFT cycles after `value`, and its tag."""
        word, wide = self.machine.formats.word, signed(OUTPUT_SUM_BITS)
        low, high = bits(self.machine.io_depth), bits(self.machine.streams)
        m.submodules.sums = ram = memory(self.machine, OUTPUT_SUM_BITS, 1 << low + high)
        ram.fill(self._kept(1 << low))
        place = delay(m, Cat(index[:low], unit[:high]), self.latency - ram.latency, "place")
        written = delay(m, place, ram.latency + ADD, "written")
        own, before = register("own", signed(word)), register("before", wide)
        m.d.sync += [own.eq(value), before.eq(Mux(then.starts, 0, ram.rdata))]
        added = delay(m, before + own, 1, "added")
        total, clipped = saturate(m, added, OUTPUT_SUM_BITS, "total")
        summed = tag(delay(m, then.as_value(), ADD, "summed", init=True))
        sums = Signal()
        m.d.comb += sums.eq(Cat(self.mode == mode for mode in NEEDS_SUMS).any())
        counts = summed.en & summed.valid & sums
        self._bus(m, ram, place, written, total, counts)
        coarse, shifted = register("coarse", wide), register("shifted", wide)
        m.d.sync += [
            coarse.eq(total >> Cat(Const(0, 2), self.shift[2:])),
            shifted.eq(coarse >> self.shift[:2]),
        ]
        small, limited = saturate(m, shifted, word, "small")
        out = tag(delay(m, summed.as_value(), SHIFT, "out", init=True))
        plain = delay(m, own, ADD + SHIFT - 1, "plain")
        best = delay(m, self._best(m, summed, total), SHIFT - 2, "best_late")
        puts = out.en & out.emits & (self.mode == OutputMode.SUM)
        m.d.sync += self.saturated.eq((counts & clipped) + (puts & limited))
        chosen = register("chosen", 2)
        m.d.sync += chosen.eq(Cat(self.mode == mode for mode in NEEDS_SUMS))
        return out, Mux(chosen[0], small, Mux(chosen[1], best, plain.as_unsigned()[:word]))

    def _kept(self, depth: int) -> list[int]:
        """Sums that are there at power-up, column after column."""
        words: list[int] = []
        if self.contents is None:
            return words
        for column in range(self.machine.streams):
            own = self.contents.words(Region.SUMS, column)
            words += own + [0] * (depth - len(own))
        return words

    def _best(self, m: Module, summed: Any, total: Any) -> Any:
        """The number of the largest sum of a stream so far, two cycles after the sum."""
        best, most = register("best", 12), register("most", total.shape())
        count, number = Signal(12), Signal(12)
        of_before = register("of_before", 12)
        m.d.comb += number.eq(Mux(summed.head, 0, count))
        with m.If(summed.en):
            m.d.sync += count.eq(number + 1)
        m.d.sync += of_before.eq(number)
        takes, _ = largest(m, total, summed.head, summed.en, most)
        with m.If(takes):
            m.d.sync += best.eq(of_before)
        return best

    def _bus(self, m: Module, ram: Ram, place: Any, written: Any, total: Any, counts: Any) -> None:
        """The sums' memory: its own traffic, and the host's when all of that is done."""
        tap = Tap(m, self.bus, None, self.contents, self.machine.near)
        access, selects = tap.access, tap.selects(Region.SUMS)
        reads = access.read & selects
        low, high = bits(self.machine.io_depth), bits(self.machine.streams)
        address, write = Cat(access.index[:low], access.unit[:high]), access.write & selects
        m.d.comb += [
            ram.raddr.eq(Mux(reads, address, place)),
            ram.waddr.eq(Mux(write, address, written)),
            ram.wdata.eq(Mux(write, access.data[:OUTPUT_SUM_BITS], total)),
            ram.wen.eq(write | counts),
        ]
        tap.answer(reads, ram.rdata)
        reply = tap.reply("reply_register", Reply().const({}).as_value())
        m.d.comb += self.bus_reply.as_value().eq(reply)
        timer = Signal(range(self.way + 1))
        with m.If(self.busy):
            m.d.sync += timer.eq(self.way)
        with m.Elif(timer.any()):
            m.d.sync += timer.eq(timer - 1)
        m.d.comb += self.unsettled.eq(timer.any())
