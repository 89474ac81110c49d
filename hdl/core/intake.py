# SPDX-License-Identifier: Apache-2.0
"""INPUT and TARGET: words from the streams to the columns' memories, over the access bus."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import (
    FLAGS_REGION,
    TARGET_REGION,
    Access,
    bits,
    first_stream,
    flags,
    ranges,
)
from antevolt.hdl.lib.registers import KEEP, delay
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
        only; `done` in its last cycle;  taking : at work, from the cycle after its start on
    keep, kept : inputs also go to the output memory, from this word on
    access : writes to the columns, a cycle after their words; in a core that is near at once
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
        # a bit per state, and what is asked of a counter in a register beside it: little stands
        # between two registers, and little hangs on the words' `valid`
        idle, works = Signal(init=1), Signal(attrs=KEEP)  # the same, for others
        flagging, copying, taking, checks, targets, passes = (
            Signal(name=name)
            for name in ("flagging", "copying", "inputs", "checks", "targets", "passes")
        )
        flagged, copied = flagging & self.x.valid, copying & self.x.valid
        took, got = taking & self.x.valid, targets & self.y.valid  # an input, a target
        before = Signal(attrs=KEEP)  # a stream's first word
        last = self._count(m, idle, before, took, got)
        ends, begins = last & (took | got), idle & self.start
        final, needs = self._streams(m, idle, ends | passes)
        looks = Mux(idle, begins & self.target, (last & got | passes) & ~final)
        m.d.comb += [
            *(self.taking.eq(works), self.done.eq(final & (ends | passes))),
            *(self.x.ready.eq(taking), self.y.ready.eq(targets)),
            self.waiting.eq(
                (flagging | copying | taking) & ~self.x.valid | targets & ~self.y.valid
            ),
        ]
        rests = idle & ~self.start | self.done
        flags_next = begins & ~self.target | flagging & ~self.x.valid | took & last & ~final
        m.d.sync += [
            *(idle.eq(rests), works.eq(~rests)),
            *(flagging.eq(flags_next), before.eq(flags_next | looks & needs)),
            copying.eq((flagged | took & ~last) & self.keep | copying & ~self.x.valid),
            taking.eq(flagged & ~self.keep | copied | taking & ~(took & (last | self.keep))),
            # a stream's flags take a cycle: it has targets, or it is passed over
            *(checks.eq(looks & needs), passes.eq(looks & ~needs)),
            targets.eq(checks | targets & ~(got & last)),
        ]
        self._write(m, flagging, copying, taking, targets)
        return m

    def _count(self, m: Module, idle: Any, before: Any, took: Any, got: Any) -> Signal:
        """Words of a stream, from `before` its first one on; returns whether one is to come."""
        counts, places = ranges(self.machine)
        left, last, single = Signal(counts), Signal(), Signal()
        n, address = Signal(counts), Signal(places)  # as at the start
        self.last, self.odd, self.place = last, Signal(), Signal(places)  # where the next one goes
        with m.If(idle):
            m.d.sync += [n.eq(self.n), single.eq(self.n[:counts] == 1), address.eq(self.address)]
        with m.If(before):
            m.d.sync += [left.eq(n), last.eq(single), self.odd.eq(0)]
        with m.Elif(took | got):
            m.d.sync += [left.eq(left - 1), last.eq(left == 2), self.odd.eq(~self.odd)]
        with m.If(before):
            m.d.sync += self.place.eq(address)
        with m.Elif(took & self.odd | got):  # by itself: what is asked is not before the sum
            m.d.sync += self.place.eq(self.place + 1)
        return last

    def _streams(self, m: Module, idle: Any, ends: Any) -> tuple[Signal, Any]:
        """Which stream; returns whether it is the last one, and whether the next one has targets
        (before the start: the first one)."""
        streams, of_one = self.machine.streams, self.machine.streams == 1
        self.column, self.index = Signal(range(streams)), Signal(self.index_bits)
        start, ahead, final = Signal(self.index_bits), Signal(self.index_bits), Signal()
        self.memory = Memory(
            shape=INPUT_FLAG_BITS, depth=max(2, self.machine.total_streams), init=[]
        )
        m.submodules.flags = self.memory
        known = self.memory.read_port(domain="comb")
        m.d.comb += [
            start.eq(first_stream(self.machine, self.context)),
            known.addr.eq(Mux(idle, start, ahead)),
        ]
        with m.If(idle):
            m.d.sync += [self.column.eq(0), self.index.eq(start), ahead.eq(start + 1)]
            m.d.sync += final.eq(of_one)
        with m.Elif(ends):
            m.d.sync += [self.column.eq(self.column + 1), self.index.eq(ahead)]
            m.d.sync += [ahead.eq(ahead + 1), final.eq(of_one | (self.column == streams - 2))]
        there = flags(known.data[: flags.size])
        return final, there.valid & there.target_valid & ~known.data[HELD]

    def _write(self, m: Module, flagging: Any, copying: Any, taking: Any, targets: Any) -> None:
        """The words' way onto the bus, and the flags' into their memory."""
        word, valid = self.machine.formats.word, self.x.valid
        write, read = self.memory.write_port(), self.memory.read_port(domain="comb")
        arriving, own = flags(self.x.payload[word:][: flags.size]), Signal(flags)
        coming, low, also = self.x.payload[:word], Signal(word), Signal(ranges(self.machine)[1])
        m.d.comb += [
            *(write.addr.eq(self.index), write.data.eq(self.x.payload[word:])),
            *(write.en.eq(flagging & valid), read.addr.eq(self.flags_index)),
            self.flags.as_value().eq(read.data),
        ]
        with m.If(~self.odd):  # the word before, when it is wanted
            m.d.sync += low.eq(coming)
        with m.If(flagging):  # until they are there
            m.d.sync += [own.eq(arriving), also.eq(self.kept)]
        with m.Elif(copying & valid):
            m.d.sync += also.eq(also + 1)
        with m.If(self.new_step):
            m.d.sync += self.learns.eq(0)
        with m.Elif(flagging & valid & arriving.valid & arriving.learn):
            m.d.sync += self.learns.eq(1)
        input_goes = copying | taking & (self.odd | self.last)
        at_hand = Signal(_at_hand(self.machine))
        values = {
            "write": valid & (flagging | own.valid & input_goes) | targets & self.y.valid,
            **{"flagging": flagging, "copying": copying, "taking": taking, "targets": targets},
            **{"odd": self.odd, "high": self.bias == Bias.HIGH, "flags": arriving.as_value()},
            **{"word": coming, "before": low, "target": self.y.payload, "column": self.column},
            **{"context": self.context, "place": self.place, "kept": also},
        }
        m.d.comb += [at_hand[name].eq(value) for name, value in values.items()]
        # the states stand far from what they choose among
        step = 0 if self.machine.near else 1
        self._choose(m, at_hand.shape()(delay(m, at_hand.as_value(), step, "at_hand")))

    def _choose(self, m: Module, now: Any) -> None:
        """What is written, and where."""
        word, access = self.machine.formats.word, self.access
        region = Mux(now.flagging, FLAGS_REGION, Mux(now.copying, Region.OUTPUT, Region.RATES))
        value = Mux(now.flagging, now.flags, Mux(now.taking & now.odd, now.before, now.word))
        one = Mux(now.high, 1 << self.machine.formats.r.frac, 0)
        m.d.comb += [
            *(access.write.eq(now.write), access.unit.eq(now.column)),
            access.region.eq(Mux(now.targets, TARGET_REGION, region)),
            access.index.eq(Mux(now.flagging, now.context, Mux(now.copying, now.kept, now.place))),
            access.data[:word].eq(Mux(now.targets, now.target, value)),
            access.data[word : 2 * word].eq(Mux(now.taking, Mux(now.odd, now.word, one), 0)),
        ]


def _at_hand(machine: Machine) -> data.StructLayout:
    """What an access is chosen from."""
    word, place = machine.formats.word, ranges(machine)[1]
    states = ("write", "flagging", "copying", "taking", "targets", "odd", "high")
    return data.StructLayout(
        {
            **dict.fromkeys(states, 1),
            **dict.fromkeys(("word", "before", "target"), word),
            **{"column": range(machine.streams), "context": 2, "flags": flags.size},
            **{"place": place, "kept": place},
        }
    )
