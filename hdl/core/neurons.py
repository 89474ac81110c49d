# SPDX-License-Identifier: Apache-2.0
"""The filter operations: from an operation to the filters' commands, with their coefficients."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, FilterCommand, Reply, bits, coefficient
from antevolt.hdl.core.sequencer import LISTENERS, operation
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.core.walker import NeuronWalker, count_bits, pace_bits
from antevolt.hdl.lib.lanes import Lanes
from antevolt.hdl.lib.registers import delay
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.program import ERRORS, Bias, Cost, Kind
from antevolt.hdl.spec.timing import COEFFICIENTS, filter_schedule

__all__ = ["Neurons"]


class Neurons(wiring.Component):
    """One command per neuron, the first WALKER + COEFFICIENTS cycles after the issue.

    Members
    -------
    op, kinds : the operation, from a cycle before its issue on
    start : that, from a register for each bit (`sequencer.Sequencer`); its first neuron comes no
        sooner after the last one before than neurons of one operation do
    step : a pulse at the start of a step;  fresh : gradient sums start anew
    command : to the columns; it says the same until the next start
    index : the number of its coefficient;  anew : its sums start anew
    tune_en, tune_address, tune_data : write port of the coefficients a_m or a_r, rho or kappa
    access, reply : the coefficient memory on the access bus
    """

    op: Any
    kinds: Any
    start: Any
    step: Any
    fresh: Any
    command: Any
    index: Any
    anew: Any
    tune_en: Any
    tune_address: Any
    tune_data: Any
    access: Any
    reply: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.contents = machine, contents
        self.dense = filter_schedule(machine).dense
        super().__init__(
            {
                "op": In(operation),
                "kinds": In(len(Kind)),
                "start": In(LISTENERS["filters"]),
                "step": In(1),
                "fresh": In(1),
                "command": Out(FilterCommand(machine)),
                "index": Out(bits(machine.coefficient_depth)),
                "anew": Out(1),
                "tune_en": In(2),
                "tune_address": In(1 + bits(machine.coefficient_depth)),
                "tune_data": In(coefficient(machine).size),
                "access": In(Access()),
                "reply": Out(Reply()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine, op = self.machine, self.op
        spacing = machine.interval
        m.submodules.walker = walker = NeuronWalker(
            machine.rows,
            spacing,
            count_bits(machine.state_depth),
            pace_bits(machine),
            machine.near,
        )
        of = {kind: self.kinds[kind] for kind in Kind}
        own, is_error, drawn, exp, norm = (Signal(operation), *(Signal() for _ in range(4)))
        anew = Signal()
        with m.If(self.start[0]):
            m.d.sync += [
                *(own.eq(op), is_error.eq(Cat(of[kind] for kind in ERRORS).any())),
                drawn.eq(of[Kind.TRACE] | of[Kind.EXP]),
                *(exp.eq(of[Kind.EXP]), norm.eq(of[Kind.NORM])),
                anew.eq(self.fresh & (op.context == 0)),
            ]
        whole = machine.rows * spacing
        m.d.comb += [
            *(walker.start.eq(self.start[1]), walker.n.eq(op.n)),
            walker.interval.eq(Mux(of[Kind.MEMBRANE], op.interval, whole)),
        ]
        command = Signal(FilterCommand(machine), name="bare")
        place_in_pairs, unit = Cat(own.odd, own.rates) + walker.number, self._unit(m)
        place = Signal(1 + bits(machine.coefficient_depth))
        m.d.sync += command.start.eq(walker.en)
        with m.If(walker.again):  # all rests until the next neuron
            m.d.sync += [
                place.eq(Cat(is_error, own.weights + Mux(own.shared, 0, walker.number))),
                *(command.error.eq(is_error), command.unit.eq(unit)),
                command.neuron.eq(own.neurons + walker.number),
                *(command.context.eq(own.context), command.prior.eq(own.prior)),
                *(
                    command.cost.eq(own.cost.any()),
                    command.softmax.eq(own.cost == Cost.SOFTMAX),
                    command.output.eq(own.output),
                    command.table.eq(own.table),
                ),
                *([command.keep.eq(own.keep & is_error)] if self.dense else []),
                *(command.drawn.eq(drawn), command.exp.eq(exp), command.norm.eq(norm)),
                command.times.eq(own.g & is_error),
                command.first.eq((walker.number == 0) & own.head),
                command.rates.eq(place_in_pairs[1:]),
                *(command.odd.eq(place_in_pairs[0]), command.last.eq(walker.last)),
                command.one.eq(own.bias == Bias.HIGH),
                command.extra.eq(own.extra + walker.number),
            ]
        self._complete(m, command, self._coefficients(m, place))
        index = (own.weights + walker.number)[: len(self.index)]
        m.d.comb += [
            self.index.eq(delay(m, index, 1 + COEFFICIENTS, "index")),
            self.anew.eq(delay(m, anew, 1 + COEFFICIENTS, "anew")),
        ]
        return m

    def _complete(self, m: Module, bare: Any, coefficients: list[Any]) -> None:
        """The command with its coefficients, which are read meanwhile."""
        running, out = Signal(), self.command
        m.d.comb += running.eq(delay(m, bare.start, COEFFICIENTS - 1, "start", init=True))
        m.d.sync += out.start.eq(running)
        domain: Any = m.d.comb if self.machine.near else m.d.sync
        domain += [out.c[n].as_value().eq(value) for n, value in enumerate(coefficients)]
        late = 0 if self.machine.interval >= COEFFICIENTS else COEFFICIENTS - 1
        told = FilterCommand(self.machine)(delay(m, bare.as_value(), late, "bare"))
        fields = [
            getattr(out, name).eq(getattr(told, name))
            for name, _ in FilterCommand(self.machine)
            if name not in ("start", "c")
        ]
        if self.machine.near:
            m.d.comb += fields
        else:
            with m.If(running):
                m.d.sync += fields

    def _unit(self, m: Module) -> Any:
        """Units take turns, slot of `interval` cycles by slot, whether or not a neuron comes."""
        spacing, filters = self.machine.interval, self.machine.filters
        phase, unit = Signal(range(spacing)), Signal(range(filters))
        m.d.sync += phase.eq(Mux(phase == spacing - 1, 0, phase + 1))
        with m.If(phase == spacing - 1):
            m.d.sync += unit.eq(Mux(unit == filters - 1, 0, unit + 1))
        with m.If(self.step):
            m.d.sync += [phase.eq(0), unit.eq(0)]
        return unit

    def _coefficients(self, m: Module, place: Signal) -> list[Any]:
        width, depth = coefficient(self.machine).size, 2 * self.machine.coefficient_depth
        tap = Tap(m, self.access, None, self.contents, self.machine.near)
        m.submodules.coefficients = lanes = Lanes(3, width, depth, self.machine.lut_depth)
        tunes: tuple[Any, Any, Any] = (0, 0, 0)  # the host alone writes
        if self.machine.time_constants:
            tunes = self.tune_address, self.tune_data, Cat(Const(0, 1), self.tune_en)
        tap.share(Region.COEFFICIENTS, lanes, place, *tunes)
        m.d.comb += self.reply.as_value().eq(
            tap.reply("reply_register", Reply().const({}).as_value())
        )
        return [lanes.rdata.word_select(n, width) for n in range(3)]
