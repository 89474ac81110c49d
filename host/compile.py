# SPDX-License-Identifier: Apache-2.0
"""From a network to what a core needs: program, coefficients, tables, and a clean start."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from antevolt.hdl.spec.errors import BadNetwork, DoesNotFit
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.moments import Rule
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import LAYOUT, Bias, Kind, Operation
from antevolt.host.layout import Layout, place
from antevolt.host.optimizer import Optimizer, optimizer_of, rate_operand
from antevolt.host.phi_tables import FUNCTIONS, table
from antevolt.host.quantize import coefficient, learning_rate, shifts
from antevolt.host.schedule import Timetable, back_interval, forward_interval, schedule

__all__ = ["Image", "Layout", "compile"]

Words = tuple[Region, int, int, Raw]
"""Consecutive words: region, unit, first index, words in the access format."""


@dataclass(frozen=True)
class Image:
    """A network compiled for one core.

    timetable  operations with their delays, and the cycles of a step
    words      what a loader writes for a clean start, weights excepted (`layout.pack_weights`)
    eta        the learning rate of each projection as the core has it; None: frozen
    momenta    momentum and momentum2 as the core has them; those the optimizer uses
    """

    network: Network
    machine: Machine
    layout: Layout
    timetable: Timetable
    words: tuple[Words, ...]
    eta: tuple[float | None, ...]
    momenta: tuple[float, ...] = ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        return self.timetable.operations


def compile(network: Network, machine: Machine) -> Image:
    """Raises DoesNotFit for a network the core cannot hold, BadNetwork for one it cannot run."""
    if network.cost != "squared_error":
        raise BadNetwork(f"cost {network.cost!r} is not on the chip yet; use squared_error")
    depth = len(network.populations)
    if [(p.source, p.target) for p in network.projections] != [(k, k + 1) for k in range(depth)]:
        raise BadNetwork("skip and recurrent projections are not on the chip yet")
    if any(p.backward != "transpose" for p in network.projections):
        raise BadNetwork("separate backward weights are not on the chip yet")
    for k, population in enumerate(network.populations, 1):
        if population.rule == "trace" or population.g != 1:
            raise BadNetwork(f"population {k}: rule trace and g are not on the chip yet")
        if population.phi != "linear" and population.phi not in FUNCTIONS:
            known = ", ".join(["linear", *FUNCTIONS])
            raise BadNetwork(f"population {k}: phi {population.phi!r} is not on the chip: {known}")
    optimizer = optimizer_of(network, machine)
    layout = place(network, machine)
    rates = [
        learning_rate(network.eta if p.eta is None else p.eta, machine.formats, optimizer.rule)
        if p.learn
        else None
        for p in network.projections
    ]
    _check_intervals(layout)
    writer = _Program(layout, [rate[0] if rate else None for rate in rates], optimizer)
    operations = tuple(writer.operations())
    if len(operations) > machine.program_depth:
        raise DoesNotFit(
            "program", len(operations), machine.program_depth, "use fewer populations or contexts"
        )
    timetable = schedule(operations, machine)
    words = (
        *_memories(layout),
        _program(timetable.operations),
        *_coefficients(layout),
        *_tables(layout),
        *_registers(network),
    )
    return Image(
        network,
        machine,
        layout,
        timetable,
        words,
        tuple(rate[1] if rate else None for rate in rates),
        optimizer.momenta,
    )


def _check_intervals(layout: Layout) -> None:
    machine, limit = layout.machine, (1 << LAYOUT["interval"]) - 1
    for k, p in enumerate(layout.network.projections):
        columns = layout.network.sizes[p.source] + p.bias
        for cycles in (
            forward_interval(machine, layout.pairs[k], layout.groups[k]),
            back_interval(machine, columns, layout.groups[k]),
        ):
            if cycles > limit:
                remedy = "use a core with fewer rows or more multipliers"
                raise DoesNotFit("cycles from group to group", cycles, limit, remedy)


@dataclass(frozen=True)
class _Program:
    """Writes the operations of a step, `docs/step.md`."""

    layout: Layout
    eta: list[tuple[int, int] | None]
    optimizer: Optimizer

    def operations(self) -> Iterator[Operation]:
        network = self.layout.network
        contexts = range(self.layout.machine.contexts)
        bottom_up = range(1, len(network.populations) + 1)
        top_down = bottom_up[::-1]
        yield from (self._input(t) for t in contexts)
        yield from (self._target(t) for t in contexts)
        if network.schedule == "sequential":
            for l in bottom_up:
                for t in contexts:
                    yield from self._forward(l, t, rates_prior=0, e_prior=1)
            for l in top_down:
                for t in contexts:
                    yield self._error(l, t, prior=0)
                    yield from self._back(l, t, prior=0)
            yield from self._applies()
            yield from (self._output(t, prior=0) for t in contexts)
        else:
            yield from (self._output(t, prior=1) for t in contexts)
            for l in bottom_up:
                for t in contexts:
                    yield self._error(l, t, prior=1)
            for l in top_down:
                prior = int(l > 1)  # inputs are of this step
                for t in contexts:
                    yield from self._forward(l, t, rates_prior=prior, e_prior=0)
                for t in contexts:
                    yield from self._back(l, t, prior=prior)
            yield from self._applies()
        yield Operation(Kind.END)

    def _bias(self, population: int) -> Bias:
        """Where the constant one stands after a population's rates."""
        if not self.layout.bias_from(population):
            return Bias.NONE
        return Bias.HIGH if self.layout.network.sizes[population] % 2 else Bias.LOW

    def _input(self, t: int) -> Operation:
        n, rates = self.layout.network.inputs, self.layout.rates[t][0]
        return Operation(Kind.INPUT, context=t, n=n, rates=rates, bias=self._bias(0))

    def _target(self, t: int) -> Operation:
        n = self.layout.network.outputs
        return Operation(Kind.TARGET, context=t, n=n, extra=t * n)

    def _output(self, t: int, prior: int) -> Operation:
        n = self.layout.network.outputs
        return Operation(Kind.OUTPUT, context=t, n=n, extra=t * n, prior=prior)

    def _forward(self, l: int, t: int, rates_prior: int, e_prior: int) -> Iterator[Operation]:
        layout, network = self.layout, self.layout.network
        k, output = l - 1, int(l == len(network.populations))
        interval = forward_interval(layout.machine, layout.pairs[k], layout.groups[k])
        yield Operation(
            Kind.FORWARD,
            context=t,
            words=layout.pairs[k],
            groups=layout.groups[k],
            interval=interval,
            weights=layout.weights[k],
            rates=layout.rates[t][l - 1],
            bias=self._bias(l - 1),
            prior=rates_prior,
        )
        yield Operation(
            Kind.MEMBRANE,
            context=t,
            n=network.sizes[l],
            interval=interval,
            neurons=layout.neurons[t][k],
            weights=layout.coefficients[k],
            rates=layout.rates[t][l],
            bias=self._bias(l),
            table=layout.tables.get(network.populations[k].phi, 0),
            output=output,
            extra=output * t * network.outputs,
            prior=e_prior,
        )

    def _error(self, l: int, t: int, prior: int) -> Operation:
        layout, network = self.layout, self.layout.network
        cost = int(l == len(network.populations))
        return Operation(
            Kind.ERROR,
            context=t,
            n=network.sizes[l],
            neurons=layout.neurons[t][l - 1],
            weights=layout.coefficients[l - 1],
            cost=cost,
            extra=cost * t * network.outputs,
            prior=prior,
        )

    def _back(self, l: int, t: int, prior: int) -> Iterator[Operation]:
        layout, network, k = self.layout, self.layout.network, l - 1
        q, g = int(l > 1), int(self.eta[k] is not None)
        columns = network.sizes[l - 1] + network.projections[k].bias
        if q or g:
            yield Operation(
                Kind.BACK,
                context=t,
                words=columns,
                groups=layout.groups[k],
                interval=back_interval(layout.machine, columns, layout.groups[k]),
                n=network.sizes[l - 1],
                weights=layout.weights[k],
                rates=layout.rates[t][l - 1],
                neurons=layout.neurons[t][k],
                extra=layout.neurons[t][k - 1] if q else 0,
                q=q,
                g=g,
                bias=self._bias(l - 1),
                prior=prior,
            )

    def _applies(self) -> Iterator[Operation]:
        layout, optimizer = self.layout, self.optimizer
        fine = layout.network.apply_every == 1 or optimizer.rule != Rule.SGD
        for k, eta in enumerate(self.eta):
            if eta is not None:
                yield Operation(
                    Kind.APPLY,
                    words=layout.pairs[k],
                    groups=layout.groups[k],
                    weights=layout.weights[k],
                    interval=rate_operand(eta),
                    n=k,
                    output=int(fine),
                    table=int(optimizer.rule),
                    rates=optimizer.decays[0],
                    neurons=optimizer.decays[1],
                )


def _memories(layout: Layout) -> Iterator[Words]:
    """Zeroed states and sums, and the constant ones."""
    machine = layout.machine
    for region in (
        Region.GRADIENTS,
        Region.MOMENTS,
        Region.WEIGHTS,
        Region.STATE,
        Region.PARTNER,
        Region.Q,
        Region.OUTPUT,
    ):
        units, words = size(machine, region)
        for unit in range(units if words else 0):
            yield region, unit, 0, np.zeros(words, dtype=np.int64)
    pairs = np.zeros(size(machine, Region.RATES)[1], dtype=np.int64)
    one = 1 << machine.formats.r.frac
    for rates in layout.rates:
        for l, n in enumerate(layout.network.sizes):
            if layout.bias_from(l):
                pairs[rates[l] + n // 2] |= one << n % 2 * machine.formats.word
    for unit in range(machine.streams):
        yield Region.RATES, unit, 0, pairs


def _program(operations: tuple[Operation, ...]) -> Words:
    chunks = [chunk for op in operations for chunk in op.encode()]
    return Region.PROGRAM, 0, 0, np.array(chunks, dtype=np.int64)


def _coefficients(layout: Layout) -> Iterator[Words]:
    """gamma, a_m, rho for MEMBRANE, scale, a_r, kappa for ERROR; four words per neuron and mode."""
    network, f = layout.network, layout.machine.formats
    general, of_gamma = shifts(f)
    for l, population in enumerate(network.populations, 1):
        scale = network.beta if l == len(network.populations) else 1.0
        words = np.zeros((population.size, 2, 4), dtype=np.int64)
        taus = zip(_each(population.tau_m), _each(population.tau_r), strict=True)
        for i, (tau_m, tau_r) in enumerate(taus):
            dt, where = network.dt, f"of population {l}, neuron {i}"
            values = [
                (("gamma", population.gamma, of_gamma), ("a_m", dt / tau_m, general),
                 ("rho", tau_r / tau_m, general)),
                (("beta", scale, general), ("a_r", dt / tau_r, general),
                 ("kappa", tau_m / tau_r, general)),
            ]  # fmt: skip
            if not population.prospective_errors:  # v and e follow eps at once
                values[1] = (values[1][0], ("a_r", 1.0, general), ("kappa", 1.0, general))
            for mode, triple in enumerate(values):
                for which, (name, value, shift) in enumerate(triple):
                    words[i, mode, which] = coefficient(f"{name} {where}", value, shift, f)
        yield Region.COEFFICIENTS, 0, 8 * layout.coefficients[l - 1], words.reshape(-1)


def _each(tau: float | tuple[float, ...]) -> tuple[float, ...]:
    return tau if isinstance(tau, tuple) else (tau,)


def _tables(layout: Layout) -> Iterator[Words]:
    log2 = layout.machine.phi_log2
    for phi, number in layout.tables.items():
        words = table(phi, layout.machine.formats, log2)
        yield Region.PHI, 0, (number - 1) << (log2 + 1), words.reshape(-1)


def _registers(network: Network) -> Iterator[Words]:
    values = {
        Register.STEP: 0,
        Register.SEED: network.seed & 0xFFFFFFFF,
        Register.APPLY_EVERY: network.apply_every,
        Register.LEARNED: 0,
    }
    for register, value in values.items():
        yield Region.REGISTERS, 0, int(register), np.array([value], dtype=np.int64)
    counters = np.zeros(Register.SATURATED + len(KINDS) - Register.CYCLES, dtype=np.int64)
    yield Region.REGISTERS, 0, int(Register.CYCLES), counters
