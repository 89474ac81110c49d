# SPDX-License-Identifier: Apache-2.0
"""Learned time constants: their sums, what TIMES makes of them, and the new coefficients."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply, bits
from antevolt.hdl.core.held import Pipeline
from antevolt.hdl.core.move import Move
from antevolt.hdl.core.ratio import Ratio
from antevolt.hdl.core.sequencer import operation
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.ram import Ram, memory
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.roundings import PRE
from antevolt.hdl.spec.time_constants import BITS, ONE
from antevolt.hdl.spec.timing import MOVE, RATIO, TIMES_READ, Timing

__all__ = ["Times"]

OLD, MOVE_M, MOVE_R, A_M, RHO, A_R, KAPPA = range(7)
"""The seven parts of a neuron's TIMES: a ratio, two steps, four ratios."""


class Times(wiring.Component):
    """Four words per neuron: tau_m, tau_r and the sums that move them.

    Members
    -------
    start, op : TIMES, and its issue
    command, index, live, fresh : an ERROR's neuron at the columns' head, its coefficient's number,
        whether it learns, whether its sums start anew
    terms : e d, and a cycle later eps d, summed over the streams; `Timing.times_sum` after command
    en[which], address, data : write port of the coefficients; which: a (0), the ratio (1)
    access, reply : the four memories on the access bus

    A neuron takes `Timing.times_neuron` cycles. Golden twin: `sim.golden.time_constants`.
    """

    start: Any
    op: Any
    command: Any
    index: Any
    live: Any
    fresh: Any
    terms: Any
    en: Any
    address: Any
    data: Any
    access: Any
    reply: Any

    def __init__(self, machine: Machine, width: int, contents: Contents | None = None):
        self.machine, self.timing, self.contents = machine, Timing(machine), contents
        super().__init__(
            {
                "start": In(1),
                "op": In(operation),
                "command": In(1),
                "index": In(bits(machine.coefficient_depth)),
                "live": In(1),
                "fresh": In(1),
                "terms": In(signed(width)),
                "en": Out(2),
                "address": Out(1 + bits(machine.coefficient_depth)),
                "data": Out(machine.formats.word + 6),
                "access": In(Access()),
                "reply": Out(Reply()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine = self.machine
        m.submodules.ratio = self.ratio = Ratio(machine.formats)
        m.submodules.move = self.move = Move(machine.formats)
        self.rams = [memory(machine, BITS, machine.coefficient_depth) for _ in range(4)]
        m.submodules += self.rams
        self.neuron, self.running = Signal(len(self.index)), Signal()
        self.tau = [register(f"tau_{name}", BITS) for name in "mr"]
        self.keep = Signal()  # write both back
        self._walk(m)
        self._sums(m, platform)
        return m

    def _sums(self, m: Module, platform: object) -> None:
        """Add the terms as they come; a neuron is seen again much later than it takes."""
        machine, at = self.machine, self.timing.times_sum - Ram.latency - 1
        line = Pipeline(m, self.command, machine.interval, at)
        index = line.hold("index", self.index, 0, at)
        live = line.at(at) & line.hold("live", self.live, 0, at)
        fresh = line.hold("fresh", self.fresh, 0, at)
        line.finish(platform)
        tap = Tap(m, self.access, None, self.contents, self.machine.near)
        for which, ram in enumerate(self.rams):
            if which < 2:
                raddr, waddr, data, en = self.neuron, self.neuron, self.tau[which], self.keep
            else:
                own = delay(m, index, which - 2, f"index{which}")
                new = delay(m, fresh, which - 2 + Ram.latency, f"fresh{which}")
                old, total = register(f"old{which}", signed(BITS)), register(f"sum{which}", BITS)
                m.d.sync += [
                    old.eq(Mux(new, 0, ram.rdata)),
                    total.eq(old + self.terms),
                ]
                raddr, data = Mux(self.running, self.neuron, own), total
                waddr = delay(m, own, Ram.latency + 2, f"place{which}")
                en = delay(m, live, which - 2 + Ram.latency + 2, f"live{which}", init=True)
            tap.join(Region.TIMES, ram, raddr, waddr, data, en, way=(2, which))
        m.d.comb += self.reply.as_value().eq(
            tap.reply("reply_register", Reply().const({}).as_value())
        )

    def _walk(self, m: Module) -> None:
        """Neuron by neuron: read, the seven parts, write."""
        word, op = self.machine.formats.word, self.op
        own, left, part = Signal(operation), Signal(12), Signal(3)
        timer = Signal(range(max(RATIO, MOVE) + word + 1))
        sums = [register(f"total_{name}", signed(BITS)) for name in "mr"]
        inverse = [register("inverse", word - 1), register("inverse_exponent", signed(8))]
        starting, ending, moving = Signal(), Signal(), (part == MOVE_M) | (part == MOVE_R)
        m.d.comb += [self.running.eq(1), self.keep.eq(0)]
        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.running.eq(0)
                m.d.sync += [own.eq(op), self.neuron.eq(op.weights), left.eq(op.n)]
                m.d.sync += timer.eq(TIMES_READ - 1)
                with m.If(self.start):
                    m.next = "READ"
            with m.State("READ"):
                m.d.sync += [timer.eq(timer - 1), part.eq(OLD)]
                m.d.sync += [r.eq(ram.rdata) for r, ram in zip(self.tau, self.rams, strict=False)]
                m.d.sync += [r.eq(ram.rdata) for r, ram in zip(sums, self.rams[2:], strict=True)]
                with m.If(timer == 0):
                    m.next = "START"
            with m.State("START"):
                m.d.comb += starting.eq(1)
                m.d.sync += timer.eq(Mux(moving, MOVE, RATIO) + word - 1)
                m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.comb += ending.eq(1)
                    m.d.sync += part.eq(part + 1)
                    m.next = "START"
                    with m.If(part == KAPPA):
                        m.next = "WRITE"
            with m.State("WRITE"):
                m.d.comb += self.keep.eq(1)
                m.d.sync += [self.neuron.eq(self.neuron + 1), left.eq(left - 1)]
                m.d.sync += timer.eq(TIMES_READ - 1)
                m.next = "READ"
                with m.If(left == 1):
                    m.next = "IDLE"
        self._ratios(m, part, starting)
        self._moves(m, own, part, starting & moving, sums, inverse)
        with m.If(ending & (part == OLD)):
            m.d.sync += [inverse[0].eq(self.ratio.mantissa), inverse[1].eq(self.ratio.exponent)]
        for which, name in ((0, MOVE_M), (1, MOVE_R)):
            with m.If(ending & (part == name)):
                m.d.sync += self.tau[which].eq(self.move.moved)
        self._coefficients(m, own, part, ending)

    def _ratios(self, m: Module, part: Any, starting: Any) -> None:
        tau_m, tau_r = self.tau
        over, under = register("over", BITS), register("under", BITS)
        with m.If(starting):
            m.d.sync += under.eq(Mux((part == A_R) | (part == KAPPA), tau_r, tau_m))
            m.d.sync += over.eq(Mux(part == RHO, tau_r, Mux(part == KAPPA, tau_m, ONE)))
        go = Signal()
        m.d.sync += go.eq(starting)
        m.d.comb += [
            *(self.ratio.start.eq(go), self.ratio.over.eq(over), self.ratio.under.eq(under)),
        ]

    def _moves(
        self, m: Module, own: Any, part: Any, starting: Any, sums: list[Any], inverse: list[Any]
    ) -> None:
        move, second = self.move, part == MOVE_R
        go = Signal()
        m.d.sync += go.eq(starting)
        m.d.comb += [
            *(move.start.eq(go), move.down.eq(~second)),
            *(move.tau.eq(Mux(second, self.tau[1], self.tau[0])),),
            move.total.eq(Mux(second, sums[1], sums[0])),
            *(move.mantissa.eq(inverse[0]), move.exponent.eq(inverse[1])),
            move.m.eq(Mux(second, own.words[:3], own.interval[:3])),
            move.k.eq(Mux(second, own.words[3:9], own.interval[3:9])),
        ]

    def _coefficients(self, m: Module, own: Any, part: Any, ending: Any) -> None:
        """What a ratio comes to goes to MEMBRANE's coefficients, then to ERROR's."""
        f, ratio = self.machine.formats, self.ratio
        errors = (part == A_R) | (part == KAPPA)
        wanted = ending & (part >= A_M) & (~errors | own.output)
        shift = Const(PRE + f.word - 2 - f.guard, 8) - ratio.exponent
        m.d.comb += [
            self.en[0].eq(wanted & ((part == A_M) | (part == A_R))),
            self.en[1].eq(wanted & ((part == RHO) | (part == KAPPA))),
            self.address.eq(self.neuron << 1 | errors),
            self.data.eq(shift[:6] << f.word | ratio.mantissa),
        ]
