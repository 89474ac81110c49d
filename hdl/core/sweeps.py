# SPDX-License-Identifier: Apache-2.0
"""FORWARD, BACK and APPLY: from an operation to the array's slots."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import ApplySlot, Push, Slot
from antevolt.hdl.core.sequencer import ASIDE, LISTENERS, operation
from antevolt.hdl.core.walker import GROUPS, Walker, count_bits, pace_bits
from antevolt.hdl.lib.late import late
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.program import Bias, Kind
from antevolt.hdl.spec.timing import (
    AVERAGE,
    DIRECTION,
    KEY,
    MOMENT_NUMBERS,
    NORMAL,
    NUMBERS,
    WALKER,
    Timing,
)

__all__ = ["Sweeps"]


class Sweeps(wiring.Component):
    """Walks the array.

        FORWARD  one activity pair per slot, the first WALKER cycles after its issue
        BACK     e of R neurons pushed (`Timing.push`) from its issue on, beside the sweep before;
                 then one column per slot, or, where only gradients are summed and sweeps
                 may be `paired`, a column pair
        APPLY    one column per cycle: gradient read, numbers, weight read, pair written;
                 with a rule that has moments, these are numbered and written before

    Members
    -------
    op, kinds : the operation, from a cycle before its issue on, until `start`
    start : an operation's slots begin: at its issue, or `Timing.lead` after that of a BACK. A bit
        for each of `sequencer.LISTENERS`
    back, apply : a BACK, an APPLY is issued; a register for each bit. The last push of the BACK
        before must be done
    aside : the operation is the BACK that was kept, `Timing.aside`, if there is such; a register
        for each bit
    fresh : the gradient sums start anew
    slot, push, lane : to the array, the columns, the apply lanes (which in a core that is near are
        told a cycle later, and not by a hop)
    """

    op: Any
    kinds: Any
    start: Any
    back: Any
    apply: Any
    fresh: Any
    aside: Any
    slot: Any
    push: Any
    lane: Any

    def __init__(self, machine: Machine):
        self.machine, self.timing = machine, Timing(machine)
        super().__init__(
            {
                "op": In(operation),
                "kinds": In(len(Kind)),
                "start": In(LISTENERS["sweeps"]),
                "back": In(2),
                "apply": In(2),
                "fresh": In(1),
                **({"aside": In(ASIDE)} if self.timing.aside else {}),
                "slot": Out(Slot(machine)),
                "push": Out(Push(machine)),
                "lane": Out(ApplySlot(machine)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, (op, taken, applies, backs) = self.machine.rows, self._at_hand(m)
        self.own = own = Signal(operation)
        # the rule has moments: those with bit 2 need none
        self.moving = op.table.any() & ~op.table[2] if self.machine.moments else Const(0)
        applying, backing, fresh, self.both = Signal(), Signal(), Signal(), Signal(name="both")
        self.single = Signal()  # one column per cycle
        # the walkers' operands stand before the operation is issued
        every = self.op.words << 1
        both = backs & ~op.q if self.machine.paired else Const(0)
        words = Mux(both, (op.words + 1) >> 1, op.words)
        count, interval = Mux(applies, every, words), Mux(applies, every, op.interval)
        with m.If(self.start[0]):
            m.d.sync += [
                own.eq(taken),
                *(applying.eq(applies), backing.eq(backs), self.both.eq(both)),
                self.single.eq((applies | backs) & ~both),
                fresh.eq(self.fresh & (taken.context == 0)),
            ]
        later = Mux(self.moving, DIRECTION, 0)
        weight_lead = KEY - WALKER + self.timing.apply_weight + later
        lead = Mux(applies, weight_lead, 0)
        # said of the operation itself: a sum is behind the count
        few, even = ~op.words[2:].any(), op.words[1] & ~op.words[0]
        one = few & op.words[0] & ~op.words[1]
        once = ~applies & (one | both & few & even)
        main = self._walk(m, "main", self.start[1:], lead, count, interval, once, op)
        m.d.comb += main.part.eq(op.n)
        # weights are numbered KEY cycles after it: it has time to come to where they are
        self.applied = delay(m, self.apply[0], 2, "applied", keep=True, init=True)
        self._slot(m, main, applying, backing, fresh)
        if rows == 1:  # each group's one neuron is pushed as its sweep begins
            push = main.en & main.first & backing
        else:
            pushes = self._walk(m, "pushes", self.back, 0, self.timing.lead + 1, self.op.interval)
            push = pushes.en & ~pushes.index[0] if self.timing.push == 2 else pushes.en
        gradients = self._walk(m, "gradients", self.apply, KEY - WALKER, every, every)
        self._push(m, push)
        self._gradients(m, gradients, applying)
        if not self.machine.moments:
            numbers = self._later(m, gradients, self.timing.gradient + self.machine.near)
            m.d.comb += Cat(self.lane.j, self.lane.i).eq(self._numbers(m, *numbers, "weight"))
        else:
            numbers_lead = KEY - WALKER + self.timing.gradient + self.machine.near
            walker = self._walk(m, "numbers", self.apply, numbers_lead + later, every, every)
            numbers = walker.last, walker.index
            m.d.comb += Cat(self.lane.j, self.lane.i).eq(self._numbers(m, *numbers, "weight"))
            moments_lead = numbers_lead + MOMENT_NUMBERS - NUMBERS
            start = self.apply & self.moving.replicate(2)
            self._moments(m, self._walk(m, "moments", start, moments_lead, every, every))
        return m

    def _at_hand(self, m: Module) -> tuple[Any, Any, Any, Any]:
        """The operation whose slots begin next, for the walkers' counts and for the rest, and
        whether it is an APPLY, or a BACK: which may have been kept aside."""
        applies, backs = self.kinds[Kind.APPLY], self.kinds[Kind.BACK]
        if not self.timing.aside:
            return self.op, self.op, applies, backs
        kept = Signal(operation)
        with m.If(self.back[0]):
            m.d.sync += kept.eq(self.op)
        op, taken = (operation(Mux(one, kept.as_value(), self.op.as_value())) for one in self.aside)
        return op, taken, applies & ~self.aside[0], backs | self.aside[0]

    def _walk(
        self,
        m: Module,
        name: str,
        start: Any,
        lead: Any,
        count: Any,
        interval: Any,
        once: Any = None,
        op: Any = None,
    ) -> Walker:
        """Of the operation at hand, if not of another."""
        own, op = self.machine, self.op if op is None else op
        m.submodules[name] = walker = Walker(
            pace_bits(own), min(GROUPS, count_bits(own.state_depth)), own.near
        )
        m.d.comb += [
            *(walker.start.eq(start), walker.lead.eq(lead), walker.count.eq(count)),
            *(walker.groups.eq(op.groups), walker.interval.eq(interval)),
            walker.once.eq(walker.count == 1 if once is None else once),
        ]
        return walker

    def _slot(self, m: Module, walker: Walker, applying: Any, backing: Any, fresh: Any) -> None:
        own, slot, both, single = self.own, self.slot, self.both, self.single
        back = applying | backing
        half = walker.index[0]
        place = Signal(len(slot.rates))
        next_pair = walker.en & (~single | half | walker.last)
        with m.If(self.start[0]):
            m.d.sync += place.eq(0)
        with m.Elif(next_pair):
            m.d.sync += place.eq(Mux(walker.last, 0, place + 1))
        started = delay(m, self.start[0], 1, "started", init=True)
        pair = self._counted(m, "pair", len(slot.weights), started, own.weights, next_pair)
        m.d.comb += slot.weights.eq(pair)
        last_low = walker.last & (own.bias == Bias.LOW)
        one_high = Mux(backing & ~both, own.bias != Bias.NONE, own.bias == Bias.HIGH)
        last_high = walker.last & one_high
        odd = both & walker.last & own.words[0]  # the last pair has an even column only
        if self.machine.paired:
            m.d.sync += slot.both.eq(both)
        m.d.sync += [
            slot.en.eq(walker.en & ~applying),
            slot.back.eq(back),
            slot.first.eq(walker.first & (back | own.head)),
            slot.last.eq(walker.last & (back | own.tail)),
            slot.half.eq(single & half | odd),
            slot.context.eq(own.context),
            *(slot.mask_low.eq(own.prior & ~last_low), slot.mask_high.eq(own.prior & ~last_high)),
            *(slot.rates.eq(own.rates + place), slot.q.eq(own.extra + walker.index)),
            slot.q_live.eq(backing & own.q & walker.inside),
            slot.q_clear.eq(walker.group_first & own.head),
            slot.q_done.eq(walker.group_last & own.tail),
            *(slot.g_live.eq(backing & own.g), slot.g_clear.eq(backing & fresh & ~own.keep)),
        ]
        ahead = self.timing.apply_weight - self.timing.gradient
        written = late(
            m,
            Cat(slot.weights, slot.half, self.visited(m, walker, applying)),
            self.timing.shared + self.timing.result - 1 - ahead + self.machine.near,
            "written",
        )
        m.d.comb += Cat(self.lane.weights, self.lane.half, self.lane.live).eq(written)

    def visited(self, m: Module, walker: Walker, applying: Any) -> Any:
        """The slot reads the weight that an APPLY changes."""
        visit = Signal()
        m.d.sync += visit.eq(walker.en & applying)
        return visit

    def _later(self, m: Module, walker: Walker, cycles: int) -> tuple[Any, Any]:
        """`last` and `index` of a walker's visits, that many cycles later."""
        index = Signal(len(walker.index), name="later_index")
        en, last = delay(m, Cat(walker.en, walker.last), cycles, "later", init=True)
        with m.If(en):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        return last, index

    def _push(self, m: Module, push: Any) -> None:
        neuron = Signal(len(self.push.neuron))
        with m.If(self.back[0]):
            m.d.sync += neuron.eq(self.op.neurons)
        with m.Elif(push):
            m.d.sync += neuron.eq(neuron + 1)
        prior, context = Signal(), Signal(len(self.op.context))  # own's are of the sweep before
        skip, rows = Signal(len(self.op.skip)), Signal(len(self.op.rows))
        skips, some = Signal(), Signal()  # whether there are any
        with m.If(self.back[0]):
            m.d.sync += [prior.eq(self.op.prior_e), context.eq(self.op.context)]
            m.d.sync += [skip.eq(self.op.skip), rows.eq(self.op.rows)]
            m.d.sync += [skips.eq(self.op.skip.any()), some.eq(self.op.rows.any())]
        with m.Elif(push & skips):
            m.d.sync += [skip.eq(skip - 1), skips.eq(skip != 1)]
        with m.Elif(push & some):
            m.d.sync += [rows.eq(rows - 1), some.eq(rows != 1)]
        m.d.sync += [
            *(self.push.en.eq(push), self.push.neuron.eq(neuron)),
            self.push.live.eq(~skips & some),
            *(self.push.prior.eq(prior), self.push.context.eq(context)),
        ]

    def _gradients(self, m: Module, walker: Walker, applying: Any) -> None:
        """Addresses of gradient words: those of the weights, one word per weight."""
        reading = self._places(m, walker, "gradient")
        own = Cat(self.slot.half, self.slot.weights)
        m.d.comb += self.slot.gradients.eq(Mux(applying, reading, own))
        if self.machine.carry:
            folds, turns = walker.en & self.own.table[2], self.machine.apply_rows
            if turns > 1:
                folds = Mux(folds, Cat(self.own.skip == n for n in range(turns)), 0)
            m.d.sync += self.slot.fold.eq(folds)

    def _moments(self, m: Module, walker: Walker) -> None:
        """Numbers of the weights whose moments change, and where they belong."""
        lane, live = self.lane, Signal()
        numbers = self._numbers(m, walker.last, walker.index, "moment")
        place = self._places(m, walker, "moment")
        m.d.sync += live.eq(walker.en)
        written = late(m, Cat(place, live), NORMAL + AVERAGE - MOMENT_NUMBERS, "moment_written")
        m.d.comb += Cat(lane.moment_j, lane.moment_i, lane.moment, lane.moment_live).eq(
            Cat(numbers, written)
        )

    def _places(self, m: Module, walker: Walker, name: str) -> Any:
        """One word per weight, in a slot's time."""
        first, width = self.own.weights << 1, len(self.slot.gradients)
        return self._counted(m, f"{name}_place", width, self.applied, first, walker.en)

    def _counted(
        self, m: Module, name: str, width: int, begins: Any, first: Any, moves: Any
    ) -> Signal:
        """A number in a slot's time, `first` where it begins: counted where it is wanted, which may
        be far from what moves it on."""
        number = Signal(width, name=name)
        passes = delay(m, moves, 1, f"{name}_passes", init=True)
        with m.If(begins):
            m.d.sync += number.eq(first)
        with m.Elif(passes):
            m.d.sync += number.eq(number + 1)
        return number

    def _numbers(self, m: Module, last: Any, index: Any, name: str) -> Any:
        """Column, and above it the neuron of row 0, in a slot's time."""
        machine, j, i = self.machine, len(self.lane.j), len(self.lane.i)
        # a group's rows may reach beyond the last neuron
        neuron = Signal(
            min(i, count_bits(machine.state_depth + machine.rows)), name=f"{name}_neuron"
        )
        with m.If(self.applied):
            m.d.sync += neuron.eq(0)
        with m.Elif(last):
            m.d.sync += neuron.eq(neuron + machine.rows)
        column = register(f"{name}_column", min(j, len(index)))
        group = register(f"{name}_group", len(neuron))
        m.d.sync += [column.eq(index), group.eq(neuron)]
        return Cat(column, Const(0, j - len(column)), group, Const(0, i - len(group)))
