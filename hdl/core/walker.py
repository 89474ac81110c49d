# SPDX-License-Identifier: Apache-2.0
"""Counters that walk an operation: groups of R neurons, and what is visited in each group."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.registers import KEEP, delay
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


class _Walker(wiring.Component):
    """`near`: no registers that only keep wires short."""

    near = False

    def _before(self, m: Module, operand: Any, name: str) -> Any:
        """An operand, or what is asked of it, as it is a cycle before the start. Not to be shared:
        others delay an operand's fields too, on their way to far places."""
        return operand if self.near else delay(m, operand, 1, name, keep=True)


class Walker(_Walker):
    """`groups` times: `count` enabled cycles, then idle up to `interval` cycles.

    Members
    -------
    start : takes the operands, which stand from a cycle before on; the first enabled cycle is
        `lead` + 1 cycles later. No count is 0 but `part`. Both bits say the same, from a register
        each: bit 0 for the counters, bit 1 for the rest
    once : `count` is 1
    en : at work; first, last : of the group; index : within the group
    inside : the index is less than `part`
    group_first, group_last : this is the first, the last group

    `counts` and `groups` are the bits of what is counted.
    """

    start: Any
    lead: Any
    count: Any
    once: Any
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

    def __init__(self, counts: int = COUNT, groups: int = GROUPS, near: bool = False) -> None:
        self.near = near
        super().__init__(
            {
                "start": In(2),
                "lead": In(LEAD_BITS),
                "count": In(counts),
                "once": In(1),
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
        self.leads, self.runs, self.wraps = Signal(), Signal(), Signal()
        words = self._words(m)
        self._flags(m, *words)
        return m

    def _words(self, m: Module) -> tuple[Signal, ...]:
        """Counters: of the lead, and of what is to come in a group, of its part, and of the cycles
        up to the next group."""
        counts, lead = len(self.count), Signal(LEAD_BITS)
        more, within, wait = (Signal(counts, name=name) for name in ("more", "within", "wait"))
        given = self._before(m, Cat(self.count, self.part, self.interval), "given")
        kept = Signal(3 * counts)  # what a group begins with
        with m.If(self.start[0]):
            m.d.sync += [
                *(Cat(more, within, wait).eq(given), kept.eq(given)),
                *(self.index.eq(0), lead.eq(self.lead)),
            ]
        with m.Elif(self.runs):
            m.d.sync += [
                *(more.eq(more - 1), within.eq(within - 1), wait.eq(wait - 1)),
                self.index.eq(self.index + 1),
            ]
            with m.If(self.wraps):
                m.d.sync += [Cat(more, within, wait).eq(kept), self.index.eq(0)]
        with m.Elif(self.leads):
            m.d.sync += lead.eq(lead - 1)
        return lead, more, within, wait

    def _flags(self, m: Module, lead: Any, more: Any, within: Any, wait: Any) -> None:
        # each says of the cycle at hand that it is one of a group: nothing has to be asked of both
        first, ends, inside, live = self.first, self.last, Signal(), self.en
        groups, flags = Signal(len(self.groups)), Signal(3)
        begins = Cat(self.once, self.part.any(), self.interval == 1)
        begins = self._before(m, begins, "begins")
        single = self._before(m, self.groups == 1, "single")
        at_once = self._before(m, self.lead == 0, "at_once")
        only = self._before(m, self.once & (self.lead == 0), "only")
        known = Cat(inside, self.wraps)
        with m.If(self.start[1]):
            m.d.sync += [
                *(known.eq(begins[1:]), flags.eq(begins), self.group_first.eq(1)),
                *(groups.eq(self.groups), self.group_last.eq(single)),
                *(self.leads.eq(~at_once), self.runs.eq(at_once), live.eq(at_once)),
                *(first.eq(at_once), ends.eq(only)),
            ]
        with m.Elif(self.runs):  # never while it leads
            m.d.sync += [
                *(ends.eq(more == 2), self.wraps.eq(wait == 2), first.eq(0)),
                *(live.eq(live & ~ends), inside.eq(inside & (within != 1))),
            ]
            with m.If(self.wraps):
                m.d.sync += [
                    *(known.eq(flags[1:]), self.group_first.eq(0)),
                    *(groups.eq(groups - 1), self.group_last.eq(groups == 2)),
                    *(self.runs.eq(~self.group_last), live.eq(~self.group_last)),
                    *(first.eq(~self.group_last), ends.eq(flags[0] & ~self.group_last)),
                ]
        with m.Elif(self.leads & (lead == 1)):
            m.d.sync += [self.leads.eq(0), self.runs.eq(1), live.eq(1)]
            m.d.sync += [first.eq(1), ends.eq(flags[0])]
        m.d.comb += self.inside.eq(inside)


class NeuronWalker(_Walker):
    """Neurons of an operation: R per group every `spacing` cycles, groups every `interval`.

    Members
    -------
    start : takes the operands, which stand from a cycle before on; the first neuron comes 1 cycle
        later
    en : a neuron starts;  again : the same, from a register of its own;  number : which;
        last : the operation's last

    `counts` are the bits of `n`, `paces` those of `interval`.
    """

    start: Any
    n: Any
    interval: Any
    en: Any
    again: Any
    number: Any
    last: Any

    def __init__(
        self,
        rows: int,
        spacing: int,
        counts: int = COUNT,
        paces: int = COUNT,
        near: bool = False,
    ):
        self.rows, self.spacing, self.near = rows, spacing, near
        super().__init__(
            {
                "start": In(1),
                "n": In(counts),
                "interval": In(paces),
                "en": Out(1),
                "again": Out(1),
                "number": Out(counts),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        running, left, row = Signal(), Signal(len(self.n)), Signal(range(self.rows + 1))
        interval, wait = Signal(len(self.interval)), Signal(len(self.interval))
        wraps, single = Signal(), Signal()
        given, one = (
            self._before(m, value, name)
            for value, name in ((self.interval, "given"), (self.interval == 1, "one"))
        )
        alone = self._before(m, self.n == 1, "alone")
        # the beat of the neurons; rows of the group that are to come
        phase, beats, there, comes = Signal(range(self.spacing)), Signal(), Signal(), Signal()
        again, more = Signal(attrs=KEEP), row != self.rows - 1
        goes_on = running & ~(self.en & self.last)
        m.d.comb += [
            *(beats.eq(phase == self.spacing - 1), self.again.eq(again)),
            comes.eq(self.start | goes_on & (wraps | beats & Mux(self.en, more, there))),
        ]
        m.d.sync += [self.en.eq(comes), again.eq(comes)]
        with m.If(self.start):
            m.d.sync += [
                *(running.eq(1), left.eq(self.n), self.last.eq(alone)),
                *(interval.eq(given), wait.eq(given), wraps.eq(one), single.eq(one)),
                *(phase.eq(0), row.eq(0), there.eq(1), self.number.eq(0)),
            ]
        with m.Elif(running):
            m.d.sync += [wait.eq(wait - 1), wraps.eq(wait == 2), phase.eq(phase + 1)]
            with m.If(beats):
                m.d.sync += phase.eq(0)
            with m.If(self.en):
                m.d.sync += [left.eq(left - 1), row.eq(row + 1), self.number.eq(self.number + 1)]
                m.d.sync += [there.eq(more), self.last.eq(left == 2)]
                m.d.sync += running.eq(~self.last)
            with m.If(wraps):
                m.d.sync += [wait.eq(interval), wraps.eq(single), phase.eq(0)]
                m.d.sync += [row.eq(0), there.eq(1)]
        return m
