# SPDX-License-Identifier: Apache-2.0
"""INPUT and TARGET: words from the streams to the columns' memories, over the access bus."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, bits, flags
from antevolt.hdl.core.column import FLAGS_REGION, TARGET_REGION
from antevolt.hdl.spec.flags import INPUT_FLAG_BITS, Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import Bias

__all__ = ["Intake"]

HELD = int(Flag.TARGET_HELD).bit_length() - 1
"""The flag's place. Targets stay in the columns' memories until others come."""


class Intake(wiring.Component):
    """Latches a context's flags and inputs, or its targets.

    Members
    -------
    x : words with flags;  y : words;  both in the order context, column, unit
    start, target, n, address, context, bias : the operation, which a TARGET needs at its start
        only; `done` in its last cycle;  taking : at work
    keep, kept : inputs also go to the output memory, from this word on
    access : writes to the columns
    flags_index, flags : flags of any stream, for the outlet
    learns : a valid stream learns in this step;  new_step clears it
    waiting : at work, and no word to take

    A stream costs 1 + n cycles (1 + 2 n with `keep`), a target stream that is not flagged, or
    whose target is held, 1.
    """

    x: Any
    y: Any
    start: Any
    target: Any
    n: Any
    address: Any
    context: Any
    bias: Any
    keep: Any
    kept: Any
    done: Any
    taking: Any
    access: Any
    flags_index: Any
    flags: Any
    learns: Any
    new_step: Any
    waiting: Any

    def __init__(self, machine: Machine):
        self.machine = machine
        word = machine.formats.word
        self.index_bits = max(1, bits(machine.total_streams))
        super().__init__(
            {
                "x": In(stream.Signature(word + INPUT_FLAG_BITS)),
                "y": In(stream.Signature(word)),
                "start": In(1),
                "target": In(1),
                "n": In(12),
                "address": In(14),
                "context": In(2),
                "bias": In(2),
                "keep": In(1),
                "kept": In(14),
                "done": Out(1),
                "taking": Out(1),
                "access": Out(Access()),
                "flags_index": In(self.index_bits),
                "flags": Out(flags),
                "learns": Out(1),
                "new_step": In(1),
                "waiting": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine, word, access = self.machine, self.machine.formats.word, self.access
        column, index = Signal(range(machine.streams)), Signal(self.index_bits)
        left, odd, place = Signal(12), Signal(), Signal(14)  # words to come; where the next goes
        second, also = Signal(), Signal(14)  # of two cycles per word; where its copy goes
        n, address = Signal(12), Signal(14)  # as at the start
        arriving = Signal(flags)
        m.submodules.flags = memory = Memory(
            shape=INPUT_FLAG_BITS, depth=max(2, machine.total_streams), init=[]
        )
        write, read = memory.write_port(), memory.read_port(domain="comb")
        own = Signal(flags)
        m.d.comb += [
            arriving.as_value().eq(self.x.payload[word:]),
            *(write.addr.eq(index), write.data.eq(self.x.payload[word:])),
            read.addr.eq(self.flags_index),
            self.flags.as_value().eq(read.data),
        ]
        known = memory.read_port(domain="comb")
        m.d.comb += known.addr.eq(index)
        with m.If(self.new_step):
            m.d.sync += self.learns.eq(0)

        def next_stream() -> None:
            m.d.sync += [column.eq(column + 1), index.eq(index + 1)]
            m.d.sync += [left.eq(n), odd.eq(0), place.eq(address)]
            m.d.sync += [also.eq(self.kept), second.eq(0)]
            with m.If(column == machine.streams - 1):
                m.d.comb += self.done.eq(1)
                m.d.sync += column.eq(0)
                m.next = "IDLE"

        low = Signal(word)
        last = left == 1
        m.d.comb += self.taking.eq(1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.taking.eq(self.start)
                m.d.sync += [n.eq(self.n), address.eq(self.address)]
                m.d.sync += [column.eq(0), index.eq(self.context * machine.streams)]
                m.d.sync += [left.eq(self.n), odd.eq(0), place.eq(self.address)]
                m.d.sync += [also.eq(self.kept), second.eq(0)]
                with m.If(self.start):
                    m.next = "CHECK"
                    with m.If(~self.target):
                        m.next = "FLAGS"
            with m.State("FLAGS"):
                m.d.comb += self.waiting.eq(~self.x.valid)
                m.d.comb += [
                    *(access.write.eq(self.x.valid), access.region.eq(FLAGS_REGION)),
                    *(access.unit.eq(column), access.index.eq(self.context)),
                    *(access.data.eq(arriving.as_value()), write.en.eq(self.x.valid)),
                ]
                with m.If(self.x.valid):
                    m.d.sync += own.eq(arriving)
                    m.d.sync += self.learns.eq(self.learns | arriving.valid & arriving.learn)
                    m.next = "INPUTS"
            with m.State("INPUTS"):
                takes = ~self.keep | second
                m.d.comb += [self.x.ready.eq(takes), self.waiting.eq(~self.x.valid)]
                one = Mux(self.bias == Bias.HIGH, 1 << self.machine.formats.r.frac, 0)
                data = self.x.payload[:word]
                pair = Mux(odd, Cat(low, data), Cat(data, one[:word]))
                m.d.comb += [
                    access.region.eq(Mux(takes, Region.RATES, Region.OUTPUT)),
                    *(access.unit.eq(column), access.index.eq(Mux(takes, place, also))),
                    access.data.eq(Mux(takes, pair, data)),
                ]
                with m.If(self.x.valid & ~takes):
                    m.d.comb += access.write.eq(own.valid)
                    m.d.sync += [second.eq(1), also.eq(also + 1)]
                with m.Elif(self.x.valid):
                    m.d.sync += second.eq(0)
                    m.d.sync += [low.eq(data), left.eq(left - 1), odd.eq(~odd)]
                    m.d.sync += place.eq(place + odd)
                    m.d.comb += access.write.eq(own.valid & (odd | last))
                    with m.If(last):
                        m.next = "FLAGS"
                        next_stream()
            with m.State("CHECK"):
                m.d.sync += own.as_value().eq(known.data)
                there, held = flags(known.data[: flags.size]), known.data[HELD]
                with m.If(there.valid & there.target_valid & ~held):
                    m.next = "TARGETS"
                with m.Else():
                    next_stream()
            with m.State("TARGETS"):
                m.d.comb += [self.y.ready.eq(1), self.waiting.eq(~self.y.valid)]
                m.d.comb += [
                    *(access.write.eq(self.y.valid), access.region.eq(TARGET_REGION)),
                    *(access.unit.eq(column), access.index.eq(place)),
                    access.data.eq(self.y.payload),
                ]
                with m.If(self.y.valid):
                    m.d.sync += [left.eq(left - 1), place.eq(place + 1)]
                    with m.If(last):
                        m.next = "CHECK"
                        next_stream()
        return m
