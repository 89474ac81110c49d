# SPDX-License-Identifier: Apache-2.0
"""The sequencer: issues the operations of the program, each a fixed time after the one before."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply, bits
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.lanes import Lanes
from antevolt.hdl.lib.registers import KEEP
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import CHUNK, CHUNKS, FILTERS, LAYOUT, STREAMS, SWEEPS, Kind
from antevolt.hdl.spec.timing import MIN_DELAY, Timing

__all__ = ["ASIDE", "LISTENERS", "Sequencer", "operation"]

operation = data.StructLayout(LAYOUT)

LEARNING = (Kind.APPLY, Kind.TIMES)
"""Kinds that are passed over where nothing is due."""
JOINING = (*STREAMS, Kind.ERROR, Kind.END)
"""Kinds that may have to wait for what moves words (`Operation.joins`)."""
ASIDE = 2  # registers: for what the walkers count by, and for the rest
LISTENERS = {"sweeps": 3, "filters": 2}
"""Registers of a pulse on which hundreds hang: for those who take the operation, those who count,
and those who look at the counts."""

decoded = data.StructLayout(
    {
        "kinds": len(Kind),  # a bit each
        "joins": 1,  # it waits for what moves words
        "blocks": 1,
        "skipped": 1,
        "over": 1,  # and so are all behind it: the step ends
        "sweeps": 1,
        "filters": 1,
        "spare": LAYOUT["delay"],  # the timer starts from it
    }
)
"""What is known of an operation as it comes."""


class Sequencer(wiring.Component):
    """Walks the program once per step.

    Members
    -------
    go : start a step (an input is there, and nobody uses the access bus)
    op : the operation at hand;  kinds[kind] : it is of this kind, and takes place
    issue[kind] : a pulse when it starts, a cycle after its ISSUE state
    again : the same, from registers of their own: hundreds listen
    sweeps, filters : likewise, any operation of `program.SWEEPS`, of `program.FILTERS`; a bit
        for each of `LISTENERS`. That of a BACK comes `Timing.lead` later, as its sweep begins; its
        `delay` is `Timing.at_hand` or more
    aside : that of a BACK comes in this cycle or the next; only where it is kept `Timing.aside`. A
        bit from each of ASIDE registers
    due : APPLY and TIMES operations take place, else they are passed over, and one with `keep`
        ends the step; looked at a cycle before the ISSUE
    done : a blocking operation ends;  taking : what moves words is at work; it may say so up to
        two cycles after the issue
    busy : inside a step;  ended : a pulse after its last cycle
    blocked : a blocking operation is at work;  held : one in the background is waited for
    access, reply : the program memory on the access bus

    From one issue to the next: `delay` cycles, plus the cycles a blocking operation takes, plus
    those that `held` counts: a multiple of `machine.interval`, so that filters keep their beat.
    """

    go: Any
    op: Any
    kinds: Any
    issue: Any
    again: Any
    sweeps: Any
    filters: Any
    aside: Any
    due: Any
    done: Any
    taking: Any
    busy: Any
    ended: Any
    blocked: Any
    held: Any
    access: Any
    reply: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.contents, self.lead = machine, contents, Timing(machine).lead
        self.keeps = Timing(machine).aside
        self.led = (Kind.BACK,) if self.lead else ()  # whose sweeps begin after their issue
        super().__init__(
            {
                "go": In(1),
                "op": Out(operation),
                "kinds": Out(len(Kind)),
                "issue": Out(len(Kind)),
                "again": Out(len(Kind)),
                **{name: Out(number) for name, number in LISTENERS.items()},
                **({"aside": Out(ASIDE)} if self.keeps else {}),
                "due": In(1),
                "done": In(1),
                "taking": In(1),
                "busy": Out(1),
                "ended": Out(1),
                "blocked": Out(1),
                "held": Out(1),
                "access": In(Access()),
                "reply": Out(Reply()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # a bit for each state, and what is asked of a counter in a register beside it
        rests, waits = Signal(init=1), Signal()
        fetches, blocked, holds = Signal(), Signal(), Signal()
        # the first two both say LOAD: much hangs on them
        takes, loads, issues = Signal(attrs=KEEP), Signal(), Signal()
        ripe, done, asked = Signal(), Signal(), Signal()  # the timer's last cycle; see `finished`
        finished = done & asked  # `done`, a cycle later, met behind the way from those who say it
        counts, beat = Signal(), Signal(range(self.machine.interval))
        counter = Signal(bits(self.machine.program_depth))
        known = self._operation(m, counter, takes, loads)
        timer = self._timer(m, issues, counts, known)
        over, waiting = known.kinds[Kind.END] | known.over, (known.joins | known.over) & self.taking
        held, leaves = issues & waiting, issues & ~waiting
        self._pulses(m, issues, leaves, known, over)
        ends, last = leaves & over, Signal()  # of the program, of a beat
        goes_on = leaves & ~over
        m.d.comb += [
            *(self.busy.eq(~rests), self.blocked.eq(blocked & ~finished)),
            *(self.kinds.eq(known.kinds), self.held.eq(held | holds)),
            counts.eq(waits | blocked & finished),
            last.eq(holds & (beat == 1) if self.machine.interval > 1 else held),
        ]
        m.d.sync += [
            *(rests.eq(rests & ~self.go | ends), fetches.eq(rests & self.go)),
            *(state.eq(fetches | waits & ripe) for state in (takes, loads)),
            *(issues.eq(loads | last), holds.eq((held | holds) & ~last)),
            *(beat.eq(Mux(issues, self.machine.interval - 1, beat - 1)), self.ended.eq(ends)),
            blocked.eq(goes_on & known.blocks | blocked & ~finished),
            waits.eq(goes_on & ~known.blocks | blocked & finished | waits & ~ripe),
            # which takes a cycle of the timer's
            *(done.eq(self.done), asked.eq(blocked & ~finished), ripe.eq((timer == 2) & ~issues)),
        ]
        # in a core that is near the next word is there in ISSUE, and this one until then
        following = counts & (timer == 2) if self.machine.near else loads
        clears = ends if self.machine.near else issues & over
        m.d.sync += counter.eq(Mux(clears, 0, counter + following))
        return m

    def _operation(self, m: Module, counter: Any, takes: Any, loads: Any) -> Any:
        """The operation at hand, and what is known of it (`decoded`)."""
        word, due = self._program(m, counter), Signal()
        coming = operation(word)
        known = Signal(decoded)
        comes: dict[Kind, Any] = {of: coming.kind == of for of in Kind}
        learns = Cat(comes[of] for of in LEARNING).any()
        for of in LEARNING:
            comes[of] = comes[of] & due
        streams = Cat(comes[of] for of in STREAMS).any()
        values = [
            known.kinds.eq(Cat(comes[of] for of in sorted(Kind))),
            known.joins.eq(streams | comes[Kind.END] | comes[Kind.ERROR] & coming.cost.any()),
            known.blocks.eq(
                comes[Kind.INPUT] | (comes[Kind.TARGET] | comes[Kind.OUTPUT]) & ~coming.keep
            ),
            *(known.skipped.eq(learns & ~due), known.over.eq(learns & ~due & coming.keep)),
            known.spare.eq(coming.delay - 2),
            known.sweeps.eq(Cat(comes[of] for of in SWEEPS if of not in self.led).any()),
            known.filters.eq(Cat(comes[of] for of in FILTERS).any()),
        ]
        if self.machine.near:  # the operation is the memory's word: no register, decoded late
            m.d.sync += due.eq(self.due)
            m.d.comb += [self.op.as_value().eq(word), *values]
        else:
            m.d.comb += due.eq(self.due)
            with m.If(takes):
                m.d.sync += self.op.as_value().eq(word)
            with m.If(loads):
                m.d.sync += values
        return known

    def _timer(self, m: Module, issues: Any, counts: Any, known: Any) -> Signal:
        """Counts down what is left of the operation's delay; it is 0 when nothing is at work."""
        timer = Signal(LAYOUT["delay"])
        with m.If(issues):
            m.d.sync += timer.eq(Mux(known.skipped, MIN_DELAY - 2, known.spare))
        with m.Elif(counts):
            m.d.sync += timer.eq(timer - 1)
        return timer

    def _pulses(self, m: Module, issues: Any, leaves: Any, known: Any, over: Any) -> None:
        """One register behind the state, of their own for each of those who listen. Who never
        waits for what moves words is not told by way of it."""
        again = Signal(len(Kind), attrs=KEEP)
        sweeps, filters = (
            [Signal(name=f"{name}{n}", attrs=KEEP) for n in range(number)]
            for name, number in LISTENERS.items()
        )
        m.d.comb += [
            *(self.again.eq(again), self.sweeps.eq(Cat(sweeps)), self.filters.eq(Cat(filters))),
        ]
        comes = {of: known.kinds[of] for of in sorted(Kind)} | {Kind.END: over}
        started = [comes[of] & (leaves if of in JOINING else issues) for of in sorted(Kind)]
        m.d.sync += [self.issue.eq(Cat(started)), again.eq(Cat(started))]
        led = self._led(m)
        m.d.sync += [one.eq(known.sweeps & issues | led) for one in sweeps]
        m.d.sync += [one.eq(known.filters & leaves) for one in filters]

    def _led(self, m: Module) -> Any:
        """A BACK is issued long enough ago: its sweep begins."""
        if not self.lead:
            return Const(0)
        left, begins = Signal(range(self.lead - 1)), Signal()
        issued = self.issue[Kind.BACK]
        if self.lead == 1:
            return issued
        m.d.sync += [
            left.eq(Mux(issued, self.lead - 2, left - left.any())),
            begins.eq(Mux(issued, self.lead == 2, left == 1)),
        ]
        if self.keeps:
            aside = [Signal(name=f"aside{n}", attrs=KEEP) for n in range(ASIDE)]
            m.d.sync += [one.eq((left == 1) | begins) for one in aside]
            m.d.comb += self.aside.eq(Cat(aside))
        return begins

    def _program(self, m: Module, counter: Signal) -> Any:
        machine = self.machine
        tap = Tap(m, self.access, None, self.contents, machine.near)
        m.submodules.program = lanes = Lanes(
            CHUNKS, CHUNK, machine.program_depth, machine.lut_depth
        )
        tap.share(Region.PROGRAM, lanes, counter, 0, 0, 0)
        m.d.comb += self.reply.as_value().eq(
            tap.reply("reply_register", Reply().const({}).as_value())
        )
        return lanes.rdata[: operation.size]
