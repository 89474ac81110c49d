# SPDX-License-Identifier: Apache-2.0
"""A filter unit: membrane and error neuron are one datapath with their coefficients swapped."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, bits, coefficient
from antevolt.hdl.core.held import Pipeline
from antevolt.hdl.core.product import Product
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.ram import Ram, memory
from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.roundings import PRE
from antevolt.hdl.spec.timing import (
    BASE,
    CHOOSE,
    FETCH,
    NARROW,
    STATE,
    WIDE,
    Timing,
    filter_schedule,
)

__all__ = ["EVENTS", "FilterUnit"]

EVENTS = ("d", "u", "p", "beta", "delta", "v", "e")
"""Saturations a unit reports, names of `spec.memory_map.KINDS`."""


class FilterUnit(wiring.Component):
    """Five products per neuron on `multipliers` multipliers, a new neuron every period.

        MEMBRANE  d = s + c0 e - u      p = u + c2 d    r, r' = phi(p), phi'(p)    u <- u + c1 d
        ERROR     delta = r' (c0 q) - v e = v + c2 delta                           v <- v + c1 delta

    with c = (gamma, a_m, rho) and (beta or 1, a_r, kappa). Times count from `start`.

    Members
    -------
    start : at 0; starts lie on a grid of one period
    error, valid, table, c : from 0 on and `Timing.rest` cycles more; `valid`: count saturations
    state, partner : u and e, or v and r', from STATE on and as long
    q : at FETCH, with `q_far`: it was limited, which counts as its product being limited
    keep, q_late : where a neuron comes every cycle: of an ERROR, from 0 on as others, that it takes
        q as it is; and that q, FETCH_LATE after `schedule.fetch`
    s : at FETCH + BASE - 1
    done : 1 at `schedule.done`, with `result` (r or e), `slope` (r') and `state_out` (u or v);
        `third` (d or eps) where time constants learn, else 0
    events : a pulse per saturation, in the order of EVENTS
    access, phi_word : loads and reads the tables

    Golden twin: `sim.golden.filter`.
    """

    start: Any
    error: Any
    valid: Any
    table: Any
    c: Any
    state: Any
    partner: Any
    q: Any
    q_far: Any
    keep: Any
    q_late: Any
    s: Any
    done: Any
    result: Any
    slope: Any
    state_out: Any
    third: Any
    events: Any
    access: Any
    phi_word: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.schedule = machine, filter_schedule(machine)
        self.contents = contents
        f = machine.formats
        word, wide = f.word, f.word + f.guard
        super().__init__(
            {
                "start": In(1),
                "error": In(1),
                "valid": In(1),
                "table": In(bits(machine.tables + 1)),
                "c": In(data.ArrayLayout(coefficient(machine), 3)),
                "state": In(signed(wide)),
                "partner": In(signed(word)),
                "q": In(signed(word)),
                "q_far": In(1),
                **({"keep": In(1), "q_late": In(signed(word))} if self.schedule.dense else {}),
                "s": In(signed(wide)),
                "done": Out(1),
                "result": Out(signed(word)),
                "slope": Out(signed(word)),
                "state_out": Out(signed(wide)),
                "third": Out(signed(word)),
                "events": Out(len(EVENTS)),
                "access": In(Access()),
                "phi_word": Out(2 * word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        f, schedule = self.machine.formats, self.schedule
        self.rest = Timing(self.machine).rest
        units = [Product(f) for _ in range(self.machine.multipliers)]
        for n, unit in enumerate(units):
            m.submodules[f"product{n}"] = unit
        line = Pipeline(m, self.start, schedule.period, schedule.done)
        on = [units[n] for n in schedule.multipliers]
        start, errors = schedule.starts, schedule.errors
        # operands are chosen one register ahead
        t, te = ([at - CHOOSE for at in starts] for starts in (start, errors))
        narrow = [on[n].narrow for n in range(5)]

        def coefficient_at(n: int, time: int) -> tuple[Any, Any]:
            c = self.c[n]
            mantissa = line.hold(f"c{n}", c.mantissa, 0, time, self.rest)
            return mantissa.as_signed(), line.hold(f"c{n}_shift", c.shift, 0, time, self.rest)

        def state_at(time: int) -> Any:
            return line.hold("state", self.state, STATE, time, self.rest)

        def partner_at(time: int) -> Any:
            return line.hold("partner", self.partner, STATE, time, self.rest)

        value, slope, fraction = self._lookup(m, line, narrow[1])
        interpolate = Const(PRE + f.word - 2 - f.guard, 6)
        difference = Const(PRE + f.r.frac - f.guard, 6)
        d = [line.hold("d", narrow[0], start[0] + NARROW, t[n]) for n in (1, 4)]
        scaled = line.hold("d", narrow[0], start[0] + NARROW, te[1])
        before = te[1] + BASE - 1  # so that nothing but a choice stands between two registers
        negative = line.hold("negative", -state_at(before), before, before + 1)
        # d and q share a register, p and delta another, where both modes have the same times
        name = "delta" if schedule.dense else "p"
        delta = [line.hold(name, narrow[1], errors[1] + NARROW, te[n]) for n in (2, 3)]
        membrane = [
            (partner_at(t[0]), *coefficient_at(0, t[0]), self._base(m, line)),
            (d[0], *coefficient_at(2, t[1]), state_at(t[1] + BASE)),
            (fraction(t[2]), slope(0, t[2]), interpolate, value(0, t[2] + BASE)),
            (fraction(t[3]), slope(1, t[3]), interpolate, value(1, t[3] + BASE)),
            (d[1], *coefficient_at(1, t[4]), state_at(t[4] + BASE)),
        ]
        error = [
            (line.hold("q", self.q, FETCH, te[0]), *coefficient_at(0, te[0]), Const(0)),
            (partner_at(te[1]), self._taken(line, scaled, te[1]), difference, negative),
            (delta[0], *coefficient_at(2, te[2]), state_at(te[2] + BASE)),
            (delta[1], *coefficient_at(1, te[3]), state_at(te[3] + BASE)),
        ]
        if self.machine.time_constants:  # eps = v + delta
            late = line.hold(name, narrow[1], errors[1] + NARROW, t[4])
            one, places = Const(1 << (f.word - 2), f.word), Const(PRE + f.word - 2 - f.guard, 6)
            error.append((late, one, places, state_at(t[4] + BASE)))
            m.d.comb += self.third.eq(self._third(line, on))
        for number, unit in enumerate(units):
            for port, slot, latency in (
                ("a", 0, 0),
                ("b", 1, 0),
                ("shift", 2, 0),
                ("base", 3, BASE),
            ):
                choices = [
                    (mode, times[n] + latency, products[n][slot])
                    for mode, (products, times) in enumerate(((membrane, t), (error, te)))
                    for n in range(len(products))
                    if schedule.multipliers[n] == number
                ]
                self._choose(m, line, f"{port}{number}", getattr(unit, port), choices)
        self._results(m, line, on)
        line.finish(platform)
        return m

    def _choose(
        self, m: Module, line: Pipeline, name: str, port: Any, choices: list[tuple[int, int, Any]]
    ) -> None:
        """Drive `port` with the one of `choices` (mode, time, value) whose time it is.

        Each is selected by a register of its own, so that and-or is all there is to the path; what
        is chosen stands in a register CHOOSE cycle later.
        """
        total: Any = Const(0, port.shape())
        for number, (mode, time, value) in enumerate(choices):
            wanted, before = Signal(port.shape(), name=f"{name}_{number}"), time - 1
            of_mode = line.hold("error", self.error, 0, before, self.rest) == mode
            chosen = register(f"{name}_{number}_chosen", 1, keep=True)
            m.d.sync += chosen.eq(line.at(before) & of_mode)
            m.d.comb += wanted.eq(value)
            total = total | wanted & chosen.replicate(len(wanted))
        held = register(f"{name}_held", port.shape())
        m.d.sync += held.eq(total)
        m.d.comb += port.eq(held)

    def _taken(self, line: Pipeline, scaled: Any, time: int) -> Any:
        """q of an ERROR, scaled or as it is."""
        if not self.schedule.dense:
            return scaled
        keep = line.hold("keep", self.keep, 0, time, self.rest)
        return Mux(keep, self.q_late, scaled).as_signed()

    def _base(self, m: Module, line: Pipeline) -> Any:
        """s - u, when the first product wants it."""
        time = FETCH + BASE - 1
        difference = (self.s - line.hold("state", self.state, STATE, time, self.rest)).as_signed()
        held = Signal(difference.shape(), name="s_minus_u")
        m.d.comb += held.eq(difference)
        return line.hold("base", held, time, self.schedule.starts[0] - CHOOSE + BASE)

    def _lookup(self, m: Module, line: Pipeline, p: Any) -> tuple[Any, Any, Any]:
        """Intervals of phi and, one cycle later, phi'. Where a neuron comes every cycle, each of
        them is read from a memory of its own, which holds both, at the same time."""
        word, log2 = self.machine.formats.word, self.machine.phi_log2
        guard = self.machine.formats.guard
        time = self.schedule.starts[1] + NARROW
        tap = Tap(m, self.access, None, self.contents, self.machine.near)
        m.submodules.phi = phi = slopes = self._table()
        table = line.hold("table", self.table, 0, time, self.rest)
        ready = [time + Ram.latency] * 2

        def place(which: Any, p: Any, table: Any) -> Any:
            index, number = Cat(p[word - log2 : word - 1], ~p[word - 1]), table - 1
            return Cat(index, which, number[: bits(self.machine.tables)])

        if self.schedule.dense:
            tap.join(Region.PHI, phi, place(Const(0, 1), p, table), 0, 0, 0)
            m.submodules.slopes = slopes = self._table()
            slopes.copy(m, phi)
            m.d.comb += slopes.raddr.eq(place(Const(1, 1), p, table))
        else:
            ready[1] += 1
            second, held = line.at(time + 1), line.hold("p", p, time, time + 1)
            then = line.hold("table", self.table, 0, time + 1, self.rest)
            p_now, table_now = Mux(second, held, p), Mux(second, then, table)
            tap.join(Region.PHI, phi, place(second, p_now, table_now), 0, 0, 0)
        m.d.comb += self.phi_word.eq(tap.answers[0])
        words = phi.rdata, slopes.rdata

        def value(n: int, need: int) -> Any:
            entry = line.hold(f"value{n}", words[n][:word], ready[n], need)
            return Cat(Const(0, guard), entry).as_signed()

        def slope(n: int, need: int) -> Any:
            return line.hold(f"slope{n}", words[n][word:], ready[n], need).as_signed()

        def fraction(need: int) -> Any:
            return line.hold("p", p, time, need)[: word - log2]

        return value, slope, fraction

    def _table(self) -> Ram:
        """A memory for phi and phi' of all tables."""
        machine = self.machine
        return memory(machine, 2 * machine.formats.word, 2 * machine.tables << machine.phi_log2)

    def _third(self, line: Pipeline, on: list[Product]) -> Any:
        """What the sums of time constants need: d, later eps."""
        t, done = self.schedule.starts, self.schedule.done
        d = line.hold("d", on[0].narrow, t[0] + NARROW, done)
        eps = line.hold("eps", on[4].narrow, t[4] + NARROW, done)
        return Mux(line.hold("error", self.error, 0, done, self.rest), eps, d)

    def _results(self, m: Module, line: Pipeline, on: list[Product]) -> None:
        schedule, t = self.schedule, self.schedule.starts
        done = schedule.done
        one = 1 << self.machine.formats.r.frac

        def result(name: str, value: Any, n: int, latency: int) -> Any:
            return line.hold(name, value, t[n] + latency, done)

        is_error = line.hold("error", self.error, 0, done, self.rest)
        linear = line.hold("table", self.table, 0, done, self.rest) == 0
        p = line.hold("p", on[1].narrow, t[1] + NARROW, done)
        main = result("main", on[2].narrow, 2, NARROW)
        v, u = (result(name, on[n].wide, n, WIDE) for name, n in (("v", 3), ("u", 4)))
        m.d.comb += [
            self.done.eq(line.at(done)),
            self.result.eq(Mux(~is_error & linear, p, main)),
            self.slope.eq(Mux(linear, one, result("slope", on[3].narrow, 3, NARROW))),
            self.state_out.eq(Mux(is_error, v, u)),
        ]
        kinds = {
            "d": (0, 0, NARROW),
            "u": (0, 4, WIDE),
            "p": (0, 1, NARROW),
            "beta": (1, 0, NARROW),
            "delta": (1, 1, NARROW),
            "v": (1, 3, WIDE),
            "e": (1, 2, NARROW),
        }
        for name, (mode, n, latency) in kinds.items():
            time = (schedule.errors if mode else t)[n] + latency
            happened = on[n].saturated if latency == NARROW else on[n].wide_saturated
            if name == "beta":
                happened = happened | line.hold("q_far", self.q_far, FETCH, time)
                if schedule.dense:
                    happened = happened & ~line.hold("keep", self.keep, 0, time, self.rest)
            counted = line.at(time) & line.hold("valid", self.valid, 0, time, self.rest)
            of_mode = line.hold("error", self.error, 0, time, self.rest) == mode
            m.d.sync += self.events[EVENTS.index(name)].eq(happened & counted & of_mode)
