# SPDX-License-Identifier: Apache-2.0
"""What belongs to one stream column beside the array: its filters, their state, its targets."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import (
    FLAGS_REGION,
    TARGET_REGION,
    Access,
    FilterCommand,
    Push,
    Reply,
    bits,
    coefficient,
    flags,
)
from antevolt.hdl.core.filter import EVENTS, FilterUnit
from antevolt.hdl.core.held import Pipeline
from antevolt.hdl.core.softmax import Softmax
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.late import late
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.ram import Ram, memory
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.lib.saturate import LATENCY, half_up, saturate
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region
from antevolt.hdl.spec.roundings import PRE
from antevolt.hdl.spec.timing import BASE, FETCH, Timing, filter_schedule

__all__ = ["Column"]


class Column(wiring.Component):
    """Column k: turns drained sums into rates, and q into errors.

    Members
    -------
    command, push, access : bundles at this column's hop
    d_lo, d_hi, d_shift : the drain of the array (d_lo read `Timing.drive` cycles before s is due)
    q_data, q_neuron, q_context, q_live : finished q words
    e_in, e_shift : the e chain of the array
    rates_* : write port of the column's activity memory
    flags : of its streams, one set per context
    reply_rates, reply : answers of the activity memory and, with them, of the column
    saturated : how many saturations of each kind this cycle (0 or 1)
    term : e d of a neuron in ERROR, a cycle later eps d, 4 cycles after its result

    Golden twin: `sim.golden.filter`, and `sim.golden.cost` for the squared error.
    """

    command: Any
    push: Any
    access: Any
    d_lo: Any
    d_hi: Any
    d_shift: Any
    q_data: Any
    q_neuron: Any
    q_live: Any
    q_context: Any
    e_in: Any
    e_shift: Any
    rates_data: Any
    rates_address: Any
    rates_en: Any
    flags: Any
    reply_rates: Any
    reply_before: Any
    reply: Any
    saturated: Any
    term: Any

    def __init__(self, machine: Machine, number: int, contents: Contents | None = None):
        self.machine, self.number, self.contents = machine, number, contents
        self.softmax = Softmax(machine.formats) if machine.softmax else None
        f = machine.formats
        super().__init__(
            {
                "command": In(FilterCommand(machine)),
                "push": In(Push(machine)),
                "access": In(Access()),
                "d_lo": In(f.word),
                "d_hi": In(signed(f.accumulator - f.word)),
                "d_shift": Out(1),
                "q_data": In(f.q.width),
                "q_neuron": In(bits(machine.state_depth)),
                "q_live": In(1),
                "q_context": In(2),
                "e_in": Out(signed(f.word)),
                "e_shift": Out(1),
                "rates_data": Out(2 * f.word),
                "rates_address": Out(bits(machine.r_depth)),
                "rates_en": Out(1),
                "flags": Out(flags).array(machine.contexts),
                "reply_rates": In(2 * f.word),
                "reply_before": In(Reply()),
                "reply": Out(Reply()),
                "saturated": Out(len(KINDS)),
                "term": Out(signed(2 * f.word - f.g_drop + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine, command = self.machine, self.command
        self.done, self.rest = filter_schedule(machine).written, Timing(machine).rest
        self.tap = Tap(m, self.access, self.number, self.contents, machine.near)
        self._flags(m)
        own = Signal(flags, name="own_flags")
        for n, candidate in enumerate(self.flags):
            with m.If(command.context == n):
                m.d.comb += own.eq(candidate)
        line = Pipeline(m, command.start, machine.interval, self.done)
        absent = Const(0, 1)
        self.exp = command.exp if machine.softmax else absent
        self.norm = command.norm if machine.softmax else absent
        self.drawn = command.drawn if machine.traces or machine.softmax else absent
        drained = ~(command.error | self.drawn)
        asks = FETCH + BASE - 1 - Timing(machine).drive - Timing(machine).ahead
        m.d.comb += self.d_shift.eq(
            line.at(asks) & line.hold("drained", drained, 0, asks, self.rest)
        )
        self.share = register("share", coefficient(machine))
        self.keeps = self._settled(m, own.valid & ~(self.exp | self.norm), "keeps")
        results = self._units(m, line, own)
        state, partner = self._memories(m, line, own, results)
        q = self._errors_from_above(m, line, own, results[0])
        drain, drive_saturated = self._drive(m)
        drive = self._drawn(m, line, own, drain)
        self._softmax(m, line, results[0])
        if machine.time_constants:
            self._terms(m, line, own, results)
        for unit in self.units:
            m.d.comb += [
                unit.state.eq(state),
                unit.partner.eq(partner),
                unit.q.eq(q),
                unit.q_far.eq(self.q_far),
                unit.s.eq(drive),
            ]
            if unit.schedule.dense:
                m.d.comb += [unit.q_late.eq(self.q_late), unit.keep.eq(command.keep)]
        valid = self._settled(m, own.valid & drained, "valid")
        counted = line.hold("valid", valid, 0, FETCH + BASE - 1, self.rest)
        events = {name: Const(0) for name in KINDS}
        events["drive"] = drive_saturated & line.at(FETCH + BASE - 1) & counted
        events["q"] = self.q_saturated
        for n, name in enumerate(EVENTS):
            of_units = Cat(unit.events[n] for unit in self.units)
            events[name] = delay(m, of_units, int(not machine.near), f"{name}_event").any()
        m.d.sync += self.saturated.eq(Cat(events[name] for name in KINDS))
        self.tap.answers.append(self.reply_rates)
        line.finish(platform)
        reply = self.tap.reply("reply_register", self.reply_before.as_value())
        m.d.comb += self.reply.as_value().eq(reply)
        return m

    def _settled(self, m: Module, value: Any, name: str) -> Any:
        """What is made of a command, and held much later: a register behind it where commands rest
        longer than a cycle, so that all of the next one is left for the way to its place."""
        return delay(m, value, int(self.rest > 0 and not self.machine.near), name)

    def _flags(self, m: Module) -> None:
        access, early = self.tap.access, self.tap.early
        for n, own in enumerate(self.flags):
            latched = register(f"flags{n}", own.as_value().shape())
            m.d.comb += own.as_value().eq(latched)
            # its write comes from afar, to several registers: decoded before it acts
            of_context = early.write & (early.index[: len(self.command.context)] == n)
            with m.If(self.tap.selects(FLAGS_REGION, also=of_context)):
                m.d.sync += latched.eq(access.data)

    def _units(self, m: Module, line: Pipeline, own: Any) -> tuple[Any, ...]:
        """Filter units take neurons in turn, one per interval."""
        machine, command = self.machine, self.command
        self.units = [FilterUnit(machine, self.contents) for _ in range(machine.filters)]
        for n, unit in enumerate(self.units):
            m.submodules[f"filter{n}"] = unit
            m.d.comb += [
                unit.start.eq(command.start & (command.unit == n)),
                unit.error.eq(command.error),
                unit.valid.eq(self.keeps),
                unit.table.eq(command.table),
                unit.c[0].eq(Mux(self.norm, self.share.as_value(), command.c[0].as_value())),
                *(unit.c[n].eq(command.c[n]) for n in (1, 2)),
                unit.access.eq(self.access),
            ]
        if self.number == 0:
            self.tap.answers.append(self.units[0].phi_word)
        results = []
        for port in ("result", "slope", "state_out", "third"):
            total: Any = 0
            for unit in self.units:
                value = getattr(unit, port)
                total = total | Mux(unit.done, value, 0)
            out = register(f"unit_{port}", value.shape())
            m.d.sync += out.eq(total)
            results.append(out)
        return tuple(results)

    def _memories(
        self, m: Module, line: Pipeline, own: Any, results: tuple[Any, ...]
    ) -> tuple[Any, Any]:
        """u and v, e and r', the e copy for the array, and the rates; all written at `done`."""
        machine, f, command = self.machine, self.machine.formats, self.command
        result, slope, state_out, _ = results
        depth, done = machine.state_depth, self.done
        m.submodules.state = state = memory(machine, f.word + f.guard, 2 * depth)
        m.submodules.partner = partner = memory(machine, f.word, 2 * depth)
        m.submodules.errors = errors = memory(machine, f.word, depth)
        neuron = line.hold("neuron", command.neuron, 0, done, self.rest)
        error = line.hold("error", command.error, 0, done, self.rest)
        write = line.at(done) & line.hold("own_keeps", self.keeps, 0, done, self.rest)
        read_at = Cat(command.error, command.neuron)
        new = Mux(error, result, slope)
        self.tap.join(Region.STATE, state, read_at, Cat(error, neuron), state_out, write)
        # ERROR writes e where MEMBRANE reads it, MEMBRANE writes r' where ERROR reads it
        self.tap.join(Region.PARTNER, partner, read_at, Cat(~error, neuron), new, write)
        if self.contents is not None:
            errors.fill(self.contents.words(Region.PARTNER, self.number, (1, 0)))
        access, early = self.tap.access, self.tap.early
        host_e = self.tap.selects(Region.PARTNER, also=early.write & ~early.index[0])
        m.d.comb += [
            errors.raddr.eq(self.push.neuron),
            errors.waddr.eq(Mux(host_e, access.index[1:], neuron)),
            errors.wdata.eq(Mux(host_e, access.data, result)),
            errors.wen.eq(host_e | write & error),
            self.e_in.eq(Mux(self._silent(m), 0, errors.rdata)),
            self.e_shift.eq(delay(m, self.push.en, Ram.latency, "push", init=True)),
        ]
        self._rates(m, line, result, write & ~error)
        # as late as the words, so that both rest as long
        fresh = delay(m, own.first | self.exp | self.norm, Ram.latency, "first")
        norm = delay(m, self.norm, Ram.latency, "norm", keep=machine.softmax)
        prior = delay(m, own.first & command.prior, Ram.latency, "prior")
        state_in = register("state_in", signed(f.word + f.guard))
        partner_in = register("partner_in", signed(f.word))
        m.d.sync += [
            state_in.eq(Mux(fresh, 0, state.rdata)),
            partner_in.eq(Mux(norm, 1 << f.r.frac, Mux(prior, 0, partner.rdata))),
        ]
        return state_in, partner_in

    def _silent(self, m: Module) -> Any:
        """The e pushed into the array counts as zero."""
        first = self._of_context(self.push.context, "first", m)
        return delay(m, ~self.push.live | self.push.prior & first, Ram.latency, "silent")

    def _of_context(self, context: Any, flag: str, m: Module) -> Any:
        """A flag of the stream of a context; nothing counts as first that is not valid."""
        found = Signal(name=f"{flag}_of_context")
        for n, own in enumerate(self.flags):
            with m.If(context == n):
                m.d.comb += found.eq(own[flag])
        return found

    def _rates(self, m: Module, line: Pipeline, r: Any, write: Any) -> None:
        """Rates leave in pairs; the constant one follows an odd number of neurons."""
        command, f, done = self.command, self.machine.formats, self.done
        odd, last, one, output = (
            line.hold(name, getattr(command, name), 0, done, self.rest)
            for name in ("odd", "last", "one", "output")
        )
        even = register("even_rate", f.word)
        with m.If(line.at(done) & ~odd):
            m.d.sync += even.eq(r)
        upper = Mux(odd, r, Mux(one, 1 << f.r.frac, 0))
        m.d.sync += [  # a register on the way into the array
            self.rates_data.eq(Cat(Mux(odd, even, r)[: f.word], upper[: f.word])),
            self.rates_address.eq(line.hold("rates", command.rates, 0, done, self.rest)),
            self.rates_en.eq(write & (odd | last)),
        ]
        outputs = memory(self.machine, f.word, self.machine.io_depth)
        m.submodules.outputs = self.outputs = outputs
        place = line.hold("extra", command.extra, 0, done, self.rest)
        self.tap.join(Region.OUTPUT, outputs, command.extra, place, r, write & output)

    def _errors_from_above(self, m: Module, line: Pipeline, own: Any, result: Any) -> Any:
        """q, or at the output y - r or y - softmax, in LSB of r; at FETCH. EXP and NORM write
        where q is.

        No bit is rounded away before beta multiplies: half up is up on average, by 1/8 LSB of e
        here, and all outputs would have that in each step. The bit too many is limited instead.
        """
        machine, f, command = self.machine, self.machine.formats, self.command
        m.submodules.q = q = memory(machine, f.word, machine.state_depth)
        m.submodules.targets = targets = memory(machine, f.word, machine.io_depth)
        narrow, changed = self._round_q(m)
        where = delay(m, Cat(self.q_neuron, self.q_live), 3, "q_place")
        live = where[-1] & delay(m, self._of_context(self.q_context, "valid", m), 3, "q_valid")
        done = self.done
        of_softmax = self._settled(m, (self.exp | self.norm) & own.valid, "shares")
        shares = line.hold("shares", of_softmax, 0, done, self.rest) & line.at(done)
        neuron = line.hold("neuron", command.neuron, 0, done, self.rest)
        self.tap.join(
            Region.Q, q, command.neuron, Mux(shares, neuron, where[:-1]),
            Mux(shares, result, narrow), live | shares,
        )  # fmt: skip
        self.q_saturated = changed & live
        if self.units[0].schedule.dense:
            self._late_q(m, line, own, q)
        access, written = self.tap.access, self.tap.early.write
        m.d.comb += [
            targets.raddr.eq(command.extra),
            targets.waddr.eq(access.index),
            targets.wdata.eq(access.data),
            targets.wen.eq(self.tap.selects(TARGET_REGION, also=written)),
        ]
        silent = own.first & command.prior
        prior = delay(m, silent, Ram.latency, "q_prior")
        wanted = delay(m, own.target_valid, Ram.latency, "q_wanted")
        zero = delay(m, silent | ~own.target_valid, Ram.latency, "q_zero")
        of = command.softmax if machine.softmax else Const(0, 1)
        softmax = delay(m, of, Ram.latency, "of", keep=machine.softmax)
        kept = Mux(softmax, q.rdata, self.outputs.rdata).as_signed()
        y, r = register("y_in", signed(f.word)), register("r_in", signed(f.word))
        difference = register("y_minus_r", signed(f.word + 1))
        m.d.sync += [  # the memories stand apart: nothing but a choice before they meet
            *(y.eq(Mux(wanted, targets.rdata.as_signed(), 0)), r.eq(Mux(zero, 0, kept))),
            difference.eq(y - r),
        ]
        beyond, negative = difference[-1] ^ difference[-2], difference[-1]
        end = Cat((~negative).replicate(f.word - 1), negative)
        limited = Mux(beyond, end, difference[: f.word]).as_signed()
        hidden = register("q_in", signed(f.word))
        m.d.sync += hidden.eq(Mux(prior, 0, q.rdata.as_signed()))
        hidden = line.hold("q_in", hidden, Ram.latency + 1, FETCH - 1, self.rest)
        chosen = register("q_chosen", signed(f.word))
        cost = line.hold("cost", command.cost, 0, FETCH - 1, self.rest)
        self.q_far = register("q_far", 1)
        m.d.sync += [chosen.eq(Mux(cost, limited, hidden)), self.q_far.eq(cost & beyond)]
        return chosen

    def _late_q(self, m: Module, line: Pipeline, own: Any, q: Ram) -> None:
        """The q that an ERROR takes as it is, from a memory like the other's."""
        machine, time = self.machine, self.units[0].schedule.fetch
        m.submodules.q_again = again = memory(machine, q.width, machine.state_depth)
        neuron = line.hold("neuron", self.command.neuron, 0, time, self.rest)
        silent = own.first & self.command.prior
        prior = line.hold("silent", silent, 0, time + Ram.latency, self.rest)
        again.copy(m, q)
        m.d.comb += again.raddr.eq(neuron)
        self.q_late = register("q_late", signed(q.width))
        m.d.sync += self.q_late.eq(Mux(prior, 0, again.rdata))

    def _round_q(self, m: Module) -> tuple[Any, Any]:
        """Finished q words, rounded and saturated; 3 cycles."""
        f = self.machine.formats
        drop = f.q.frac - f.e.frac
        rounded = register("q_rounded", signed(f.q.width - drop + 1))
        m.d.sync += rounded.eq(half_up(self.q_data.as_signed(), drop))
        return saturate(m, rounded, f.word, "q_narrow")

    def _drawn(self, m: Module, line: Pipeline, own: Any, drain: Any) -> Any:
        """s from the output memory instead of the drain: of TRACE, and of EXP below the largest."""
        f, time = self.machine.formats, FETCH + BASE - 1
        if not (self.machine.traces or self.machine.softmax):
            return drain
        prior = delay(m, own.first & self.command.prior, Ram.latency, "drawn_prior")
        z, below = register("z", signed(f.word)), register("below", signed(f.word + 1))
        exp = line.hold("exp", self.exp, 0, Ram.latency + 1, self.rest)
        largest = self.softmax.largest if self.softmax else Const(0, 1)
        m.d.sync += [
            z.eq(Mux(prior, 0, self.outputs.rdata)),
            below.eq(z - Mux(exp, largest, 0)),
        ]
        word, _ = saturate(m, below, f.word, "below_word")
        wide = Cat(Const(0, f.guard), word).as_signed()
        s = line.hold("drawn_s", wide, Ram.latency + 2 + LATENCY, time)
        ahead = int(not self.machine.near)  # a register that may stand where it chooses
        drawn = line.hold("drawn", self.drawn, 0, time - ahead, self.rest)
        return Mux(delay(m, drawn, ahead, "draws"), s, drain)

    def _terms(self, m: Module, line: Pipeline, own: Any, results: tuple[Any, ...]) -> None:
        """Products of d, which MEMBRANE left, with e and then eps."""
        command, f, done = self.command, self.machine.formats, self.done
        result, _, _, third = results
        m.submodules.differences = ram = memory(self.machine, f.word, self.machine.state_depth)
        membrane = own.valid & ~(command.error | self.drawn)
        writes = line.hold("membrane", membrane, 0, done, self.rest) & line.at(done)
        m.d.comb += [
            *(ram.raddr.eq(command.neuron), ram.wdata.eq(third), ram.wen.eq(writes)),
            ram.waddr.eq(line.hold("neuron", command.neuron, 0, done, self.rest)),
        ]
        d = line.hold("d_before", ram.rdata, Ram.latency, done, self.rest)
        m.submodules.term = multiplier = Multiplier(f.word)
        second = delay(m, line.at(done), 1, "second")
        m.d.comb += [
            multiplier.a.eq(Mux(second, delay(m, third, 1, "eps"), result)),
            multiplier.b.eq(Mux(second, delay(m, d, 1, "d_again"), d)),
        ]
        learns = line.hold(
            "learns", own.valid & own.learn & command.times, 0, done, self.rest
        ) & line.at(done)
        first = delay(m, learns, Multiplier.latency, "learns")
        live = first | delay(m, first, 1, "learns_second")
        rounded = half_up(multiplier.p, f.g_drop)
        m.d.sync += self.term.eq(Mux(live, rounded, 0))

    def _softmax(self, m: Module, line: Pipeline, result: Any) -> None:
        """Largest output and sum of exponentials from the results as they come."""
        command, done, unit = self.command, self.done, self.softmax
        if unit is None:
            return
        m.submodules.softmax = unit
        names = ("first", "last", "exp", "drained")
        values = (command.first, command.last, self.exp, ~(command.error | self.drawn))
        first, last, exp, drained = (
            line.hold(name, value, 0, done, self.rest)
            for name, value in zip(names, values, strict=True)
        )
        m.d.comb += [
            *(unit.value.eq(result), unit.first.eq(first), unit.last.eq(last)),
            *(unit.compare.eq(line.at(done) & drained), unit.add.eq(line.at(done) & exp)),
        ]
        m.d.sync += [
            self.share.mantissa.eq(unit.share),
            self.share.shift.eq(PRE + self.machine.formats.word - 2 - self.machine.formats.guard),
        ]

    def _drive(self, m: Module) -> tuple[Any, Any]:
        """s from the drained sum: `Timing.drive` cycles."""
        f = self.machine.formats
        drop = f.drive.frac - f.u.frac
        timing = Timing(self.machine)
        low = late(m, self.d_lo, timing.lag + timing.stay, "drain_low")
        total = Signal(signed(f.accumulator), name="drained")
        m.d.comb += total.eq(Cat(low, late(m, self.d_hi, timing.stay, "drain_high")))
        rounded = register("drive_rounded", signed(f.accumulator - drop + 1))
        m.d.sync += rounded.eq(half_up(total, drop))
        return saturate(m, rounded, f.word + f.guard, "drive")
