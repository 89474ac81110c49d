# SPDX-License-Identifier: Apache-2.0
"""Counters that walk an operation: groups of R neurons, and what is visited in each group."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["NeuronWalker", "Walker"]

COUNT, GROUPS, LEAD_BITS = 14, 10, 8


class Walker(wiring.Component):
    """`groups` times: `count` enabled cycles, then idle up to `interval` cycles.

    Members
    -------
    start : takes the operands; the first enabled cycle is `lead` + 1 cycles later. No count is 0
        but `part`
    en : at work; first, last : of the group; index : within the group
    inside : the index is less than `part`
    group_first, group_last : this is the first, the last group
    """

    start: Any
    lead: Any
    count: Any
    groups: Any
    interval: Any
    part: Any
    en: Any
    first: Any
    last: Any
    index: Any
    inside: Any
    group_first: Any
    group_last: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "lead": In(LEAD_BITS),
                "count": In(COUNT),
                "groups": In(GROUPS),
                "interval": In(COUNT),
                "part": In(COUNT),
                "en": Out(1),
                "first": Out(1),
                "last": Out(1),
                "index": Out(COUNT),
                "inside": Out(1),
                "group_first": Out(1),
                "group_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # counters count down, and what is asked of them stands in a register beside
        lead, led, running, live = Signal(LEAD_BITS), Signal(), Signal(), Signal()
        first, ends, inside, wraps = Signal(), Signal(), Signal(), Signal()
        more, within, wait, groups = (Signal(n) for n in (COUNT, COUNT, COUNT, GROUPS))
        kept = Signal(3 * COUNT)  # what a group begins with
        flags = Signal(3)
        given = Cat(self.count, self.part, self.interval)
        begins = Cat(self.count == 1, self.part.any(), self.interval == 1)

        def begin(counts: Any, known: Any) -> None:
            m.d.sync += [
                *(Cat(more, within, wait).eq(counts), Cat(ends, inside, wraps).eq(known)),
                *(live.eq(1), first.eq(1), self.index.eq(0)),
            ]

        with m.If(self.start):
            begin(given, begins)
            m.d.sync += [
                *(kept.eq(given), flags.eq(begins), lead.eq(self.lead), led.eq(self.lead == 0)),
                *(groups.eq(self.groups), self.group_last.eq(self.groups == 1)),
                *(running.eq(1), self.group_first.eq(1)),
            ]
        with m.Elif(running & ~led):
            m.d.sync += [lead.eq(lead - 1), led.eq(lead == 1)]
        with m.Elif(running):
            m.d.sync += [
                *(more.eq(more - 1), within.eq(within - 1), wait.eq(wait - 1)),
                *(ends.eq(more == 2), wraps.eq(wait == 2), self.index.eq(self.index + 1)),
                *(live.eq(live & ~ends), inside.eq(inside & (within != 1)), first.eq(0)),
            ]
            with m.If(wraps):
                begin(kept, flags)
                m.d.sync += [groups.eq(groups - 1), self.group_last.eq(groups == 2)]
                m.d.sync += [running.eq(~self.group_last), self.group_first.eq(0)]
        m.d.comb += [
            self.en.eq(running & led & live),
            *(self.first.eq(self.en & first), self.last.eq(self.en & live & ends)),
            self.inside.eq(inside),
        ]
        return m


class NeuronWalker(wiring.Component):
    """Neurons of an operation: R per group every `spacing` cycles, groups every `interval`.

    Members
    -------
    start : takes the operands; the first neuron comes 1 cycle later
    en : a neuron starts;  number : which;  last : the operation's last
    """

    start: Any
    n: Any
    interval: Any
    en: Any
    number: Any
    last: Any

    def __init__(self, rows: int, spacing: int):
        self.rows, self.spacing = rows, spacing
        super().__init__(
            {
                "start": In(1),
                "n": In(COUNT),
                "interval": In(COUNT),
                "en": Out(1),
                "number": Out(COUNT),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running, left, row = Signal(), Signal(COUNT), Signal(range(self.rows + 1))
        interval, wait, wraps, single = Signal(COUNT), Signal(COUNT), Signal(), Signal()
        # the beat of the neurons; rows of the group that are to come
        phase, beat, there = Signal(range(self.spacing)), Signal(), Signal()
        m.d.comb += self.en.eq(running & beat & there)
        with m.If(self.start):
            m.d.sync += [
                *(running.eq(1), left.eq(self.n), self.last.eq(self.n == 1)),
                *(interval.eq(self.interval), wait.eq(self.interval)),
                *(wraps.eq(self.interval == 1), single.eq(self.interval == 1)),
                *(phase.eq(0), beat.eq(1), row.eq(0), there.eq(1), self.number.eq(0)),
            ]
        with m.Elif(running):
            m.d.sync += [wait.eq(wait - 1), wraps.eq(wait == 2), phase.eq(phase + 1)]
            m.d.sync += beat.eq(phase == self.spacing - 1)
            with m.If(phase == self.spacing - 1):
                m.d.sync += phase.eq(0)
            with m.If(self.en):
                m.d.sync += [left.eq(left - 1), row.eq(row + 1), self.number.eq(self.number + 1)]
                m.d.sync += [there.eq(row != self.rows - 1), self.last.eq(left == 2)]
                m.d.sync += running.eq(~self.last)
            with m.If(wraps):
                m.d.sync += [wait.eq(interval), wraps.eq(single), phase.eq(0), beat.eq(1)]
                m.d.sync += [row.eq(0), there.eq(1)]
        return m
