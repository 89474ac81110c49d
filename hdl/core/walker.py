# SPDX-License-Identifier: Apache-2.0
"""Counters that walk an operation: groups of R neurons, and what is visited in each group."""

from typing import Any

from amaranth.hdl import Module, Signal
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
    start : takes the operands; the first enabled cycle is `lead` + 1 cycles later
    en : at work; first, last : of the group; index : within the group
    group_first, group_last : this is the first, the last group

    `counts` and `groups` are the bits of what is counted.
    """

    start: Any
    lead: Any
    count: Any
    groups: Any
    interval: Any
    en: Any
    first: Any
    last: Any
    index: Any
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
                "en": Out(1),
                "first": Out(1),
                "last": Out(1),
                "index": Out(counts),
                "group_first": Out(1),
                "group_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lead, running = Signal(LEAD_BITS), Signal()
        count, interval = Signal(len(self.count)), Signal(len(self.interval))
        groups = Signal(len(self.groups))
        with m.If(self.start):
            m.d.sync += [
                *(lead.eq(self.lead), count.eq(self.count), interval.eq(self.interval)),
                *(groups.eq(self.groups), running.eq(1)),
                *(self.index.eq(0), self.group_first.eq(1)),
            ]
        with m.Elif(running & lead.any()):
            m.d.sync += lead.eq(lead - 1)
        with m.Elif(running):
            m.d.sync += self.index.eq(self.index + 1)
            with m.If(self.index + 1 == interval):
                m.d.sync += [self.index.eq(0), groups.eq(groups - 1), self.group_first.eq(0)]
                m.d.sync += running.eq(groups != 1)
        m.d.comb += [
            self.en.eq(running & ~lead.any() & (self.index < count)),
            self.first.eq(self.en & (self.index == 0)),
            self.last.eq(self.en & (self.index + 1 == count)),
            self.group_last.eq(groups == 1),
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
        running, left, paces = Signal(), Signal(len(self.n)), len(self.interval)
        interval, at = Signal(paces), Signal(paces)
        phase, row = Signal(range(self.spacing)), Signal(range(self.rows + 1))
        m.d.comb += [
            self.en.eq(running & (phase == 0) & (row != self.rows)),
            self.last.eq(left == 1),
        ]
        with m.If(self.start):
            m.d.sync += [
                *(running.eq(1), left.eq(self.n), interval.eq(self.interval)),
                *(at.eq(0), phase.eq(0), row.eq(0), self.number.eq(0)),
            ]
        with m.Elif(running):
            m.d.sync += [at.eq(at + 1), phase.eq(phase + 1)]
            with m.If(phase == self.spacing - 1):
                m.d.sync += phase.eq(0)
            with m.If(self.en):
                m.d.sync += [left.eq(left - 1), row.eq(row + 1), self.number.eq(self.number + 1)]
                m.d.sync += running.eq(~self.last)
            with m.If(at + 1 == interval):
                m.d.sync += [at.eq(0), phase.eq(0), row.eq(0)]
        return m
