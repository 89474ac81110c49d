# SPDX-License-Identifier: Apache-2.0
"""Counters that walk an operation: groups of R neurons, and what is visited in each group."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.timing import MIN_DELAY, RMW

__all__ = ["NeuronWalker", "Walker", "count_bits", "pace_bits"]

COUNT, GROUPS, LEAD_BITS = 14, 10, 8


def count_bits(most: int) -> int:
    """Bits of a count of up to `most`, a program's fields hold no more than COUNT."""
    return min(COUNT, most.bit_length())


def pace_bits(machine: Machine) -> int:
    """Bits of the cycles from group to group: columns of a row, or all rows' neurons and a drain
    (`host.schedule.forward_interval`)."""
    drain = (machine.rows + 2) * machine.interval + 2 * MIN_DELAY
    return count_bits(max(2 * machine.w_depth, drain, 2 * machine.rows, RMW))


class Walker(wiring.Component):
    """`groups` times: `count` enabled cycles, then idle up to `interval` cycles.

    Members
    -------
    start : takes the operands; the first enabled cycle is `lead` + 1 cycles later. No count is 0
        but `part`
    en : at work; first, last : of the group; index : within the group
    inside : the index is less than `part`
    group_first, group_last : this is the first, the last group

    `counts` and `groups` are the bits of what is counted.
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

    def __init__(self, counts: int = COUNT, groups: int = GROUPS) -> None:
        super().__init__(
            {
                "start": In(1),
                "lead": In(LEAD_BITS),
                "count": In(counts),
                "groups": In(groups),
                "interval": In(counts),
                "part": In(counts),
                "en": Out(1),
                "first": Out(1),
                "last": Out(1),
                "index": Out(counts),
                "inside": Out(1),
                "group_first": Out(1),
                "group_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # counters count down, and what is asked of them stands in a register beside it
        counts, size = len(self.count), len(self.groups)
        lead, leads, runs, live = Signal(LEAD_BITS), Signal(), Signal(), Signal()
        first, ends, inside, wraps = Signal(), Signal(), Signal(), Signal()
        more, within, wait, groups = (Signal(n) for n in (counts, counts, counts, size))
        kept = Signal(3 * counts)  # what a group begins with
        flags = Signal(3)
        given = Cat(self.count, self.part, self.interval)
        begins = Cat(self.count == 1, self.part.any(), self.interval == 1)
        at_once = self.lead == 0

        def begin(values: Any, known: Any) -> None:
            m.d.sync += [
                *(Cat(more, within, wait).eq(values), Cat(ends, inside, wraps).eq(known)),
                *(first.eq(1), self.index.eq(0)),
            ]

        with m.If(self.start):
            begin(given, begins)
            m.d.sync += [
                *(kept.eq(given), flags.eq(begins), lead.eq(self.lead), leads.eq(~at_once)),
                *(groups.eq(self.groups), self.group_last.eq(self.groups == 1)),
                *(runs.eq(at_once), live.eq(at_once), self.group_first.eq(1)),
            ]
        with m.Elif(runs):  # never while it leads
            m.d.sync += [
                *(more.eq(more - 1), within.eq(within - 1), wait.eq(wait - 1)),
                *(ends.eq(more == 2), wraps.eq(wait == 2), self.index.eq(self.index + 1)),
                *(live.eq(live & ~ends), inside.eq(inside & (within != 1)), first.eq(0)),
            ]
            with m.If(wraps):
                begin(kept, flags)
                m.d.sync += [groups.eq(groups - 1), self.group_last.eq(groups == 2)]
                m.d.sync += [self.group_first.eq(0), runs.eq(~self.group_last)]
                m.d.sync += live.eq(~self.group_last)
        with m.If(leads & ~self.start):
            m.d.sync += lead.eq(lead - 1)
            with m.If(lead == 1):
                m.d.sync += [leads.eq(0), runs.eq(1), live.eq(1)]
        m.d.comb += [
            *(self.en.eq(live), self.first.eq(live & first), self.last.eq(live & ends)),
            self.inside.eq(inside),
        ]
        return m


class NeuronWalker(wiring.Component):
    """Neurons of an operation: R per group every `spacing` cycles, groups every `interval`.

    Members
    -------
    start : takes the operands; the first neuron comes 1 cycle later
    en : a neuron starts;  number : which;  last : the operation's last

    `counts` are the bits of `n`, `paces` those of `interval`.
    """

    start: Any
    n: Any
    interval: Any
    en: Any
    number: Any
    last: Any

    def __init__(self, rows: int, spacing: int, counts: int = COUNT, paces: int = COUNT):
        self.rows, self.spacing = rows, spacing
        super().__init__(
            {
                "start": In(1),
                "n": In(counts),
                "interval": In(paces),
                "en": Out(1),
                "number": Out(counts),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running, left, row = Signal(), Signal(len(self.n)), Signal(range(self.rows + 1))
        interval, wait = Signal(len(self.interval)), Signal(len(self.interval))
        wraps, single = Signal(), Signal()
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
