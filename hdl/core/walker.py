# SPDX-License-Identifier: Apache-2.0
"""Counters that walk an operation: groups of R neurons, and what is visited in each group."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["NeuronWalker", "Walker"]

COUNT, GROUPS, LEAD_BITS = 14, 10, 8


class Walker(wiring.Component):
    """`groups` times: `count` enabled cycles, then idle up to `interval` cycles.

    Members
    -------
    start : takes the operands; the first enabled cycle is `lead` + 1 cycles later
    en : at work; first, last : of the group; index : within the group
    group_first, group_last : this is the first, the last group
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

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "lead": In(LEAD_BITS),
                "count": In(COUNT),
                "groups": In(GROUPS),
                "interval": In(COUNT),
                "en": Out(1),
                "first": Out(1),
                "last": Out(1),
                "index": Out(COUNT),
                "group_first": Out(1),
                "group_last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lead, running = Signal(LEAD_BITS), Signal()
        count, interval, groups = Signal(COUNT), Signal(COUNT), Signal(GROUPS)
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
        running, left, interval, at = Signal(), Signal(COUNT), Signal(COUNT), Signal(COUNT)
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
