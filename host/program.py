# SPDX-License-Identifier: Apache-2.0
"""The operations of a step, in their order, without their delays (`host/schedule.py` has these)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import Rule
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Bias, Cost, Kind, Operation
from antevolt.hdl.spec.timing import Timing
from antevolt.host.layout import EXP, Layout, Rates, Trace
from antevolt.host.optimizer import Optimizer, rate_operand
from antevolt.host.quantize import Eta, learns_times, tau_rate, taus_of
from antevolt.host.schedule import back_interval, forward_interval

__all__ = ["orders"]


def orders(
    layout: Layout, eta: list[Eta | None], optimizer: Optimizer
) -> tuple[tuple[Operation, ...], ...]:
    """The program of a step (`docs/step.md`); eta per projection, None: frozen. In one order, or in
    several that say the same: the shortest timetable is the best of them."""
    programs = (_Program(layout, eta, optimizer, ahead) for ahead in (False, True))
    return tuple(dict.fromkeys(tuple(program.operations()) for program in programs))


@dataclass(frozen=True)
class _Run:
    """Groups of target neurons that one BACK sweeps with the same rates."""

    group: int
    groups: int
    skip: int
    rows: int
    rates: Rates
    traced: bool
    keep: bool


@dataclass(frozen=True)
class _Program:
    """ahead: of the parallel schedule, errors come a population earlier, and a BACK that is kept
    aside while its errors are pushed before the FORWARD that is swept meanwhile."""

    layout: Layout
    eta: list[Eta | None]
    optimizer: Optimizer
    ahead: bool

    @property
    def network(self) -> Network:
        return self.layout.network

    @property
    def machine(self) -> Machine:
        return self.layout.machine

    @property
    def parallel(self) -> bool:
        return self.network.schedule == "parallel"

    def operations(self) -> Iterator[Operation]:
        contexts = range(self.machine.contexts)
        yield from (self._input(t) for t in contexts)
        if self.parallel:
            yield from (self._target(t) for t in contexts)
            if not self._beside:
                yield from (self._output(t) for t in contexts)
        for t in contexts:
            yield from (self._copy(l, t) for l in self.layout.delayed)
            yield from self._traces(t, None, recurrent=True)
        if self._aside:
            yield from self._layers_ahead()
        else:
            yield from self._layers_at_once(contexts) if self.parallel else self._layers(contexts)
        yield Operation(Kind.END)

    def _layers_at_once(self, contexts: range) -> Iterator[Operation]:
        """The parallel schedule: every population works on what its neighbours said a step ago.

        An error reads the q that the BACKs of the population above write anew, and the r' that its
        own MEMBRANE does, so it comes before them; as late as that allows, it is made while the
        array sweeps.
        """
        top = len(self.network.populations)
        for t in contexts:
            yield from self._traces(t, None, recurrent=False)
        for t in contexts:
            if self._beside:
                yield self._output(t)
                yield self._error(top - 1, t)
        for t in contexts:
            yield self._error(top, t)
        for l in range(top, 0, -1):
            if l > 1 and not (l == top and self._beside):
                yield from (self._error(l - 1, t) for t in contexts)
            for t in contexts:
                yield from self._forward(l, t)
            for t in contexts:
                yield from self._back(l, t)
        yield from self._applies()

    def _layers_ahead(self) -> Iterator[Operation]:
        """The same of one context, where a BACK is kept aside: it comes before the FORWARD that is
        swept meanwhile, and errors a population earlier."""
        top = len(self.network.populations)
        yield self._error(top - 1, 0)
        yield self._output(0)
        yield self._error(top, 0)
        waiting = self._waiting(top)
        yield from waiting[:1]
        yield from self._forward(top, 0)
        yield from waiting[1:]
        for l in range(top - 1, 0, -1):
            if 1 < l < top - 1:
                yield self._error(l - 1, 0)
            yield from self._back(l + 1, 0)
            yield from self._forward(l, 0)
        yield from self._back(1, 0)
        yield from self._applies()

    def _waiting(self, top: int) -> tuple[Operation, ...]:
        """The last MEMBRANE takes the e that an ERROR just made: while it waits for it, another one
        is begun, and ended behind it, while the next FORWARD sweeps."""
        if top <= 2:
            return ()
        filters, op = Timing(self.machine).filter, self._error(top - 2, 0)
        wait = filters.written + 1 - filters.gap - self.network.outputs
        first = min(max(wait, 0), op.n)
        rest = replace(op, n=op.n - first, neurons=op.neurons + first, weights=op.weights + first)
        return tuple(part for part in (replace(op, n=first), rest) if part.n)

    def _back(self, l: int, t: int) -> Iterator[Operation]:
        """Gradients of population l, and its errors to those below."""
        yield from self._gradients(l, t)
        yield from self._errors_below(l - 1, t)

    def _layers(self, contexts: range) -> Iterator[Operation]:
        """The sequential schedule: rates go up all populations, then errors down."""
        top = len(self.network.populations)
        for l in range(1, top + 1):
            yield from (self._target(t) for t in contexts if min(t + 1, top) == l)
            for t in contexts:
                yield from self._forward(l, t)
                if l == top and t < contexts[-1]:  # while the next context's FORWARD sweeps
                    yield self._error(l, t)
        for t in contexts:
            yield from self._traces(t, top, recurrent=False)
        for l in range(top, 0, -1):
            for t in contexts:
                if l < top or t == contexts[-1]:
                    yield self._error(l, t)
                yield from self._back(l, t)
                yield from self._traces(t, l - 1, recurrent=False)
        yield from self._applies()
        yield from self._times()
        yield from (self._output(t) for t in contexts)

    def _input(self, t: int) -> Operation:
        rates, kept = self.layout.rates[0], self.layout.outputs.get(0)
        return Operation(
            Kind.INPUT,
            context=t,
            n=rates.n,
            rates=rates.pairs[t],
            bias=_one(rates),
            output=int(kept is not None),
            extra=kept[t] if kept else 0,
        )

    def _target(self, t: int) -> Operation:
        """Beside the first sweeps, a layer later for each context; in a parallel schedule beside
        the first errors, where nothing else is."""
        top = len(self.network.populations)
        return Operation(
            Kind.TARGET,
            context=t,
            n=self.network.outputs,
            extra=self.layout.outputs[top][t],
            keep=int(not self.parallel or self._aside),
        )

    @property
    def _aside(self) -> bool:
        of_one = self.parallel and self._beside and self.machine.contexts == 1
        return self.ahead and of_one and Timing(self.machine).aside

    @property
    def _beside(self) -> bool:
        """Errors of a hidden population are made beside the OUTPUTs of a parallel schedule: nothing
        before the error of the last one reads the output memory."""
        hidden = len(self.network.populations) > 1
        return hidden and not (self.layout.delayed or self.layout.traces)

    def _output(self, t: int) -> Operation:
        """In the sequential schedule the last ones; it finds gaps for them."""
        given = self.layout.given
        kept = self.layout.outputs[len(given.populations)]
        return Operation(
            Kind.OUTPUT,
            context=t,
            n=given.outputs,
            extra=kept[t],
            prior=int(self.parallel),
            keep=int(not self.parallel or self._beside),
        )

    def _copy(self, l: int, t: int) -> Operation:
        """The rates of the step before, to where recurrent projections read them."""
        rates = self.layout.delayed[l]
        return Operation(
            Kind.TRACE,
            context=t,
            n=rates.n,
            extra=self.layout.outputs[l][t],
            prior=1,
            neurons=self.layout.scratch,
            weights=self.layout.shared["copy"],
            rates=rates.pairs[t],
            bias=_one(rates),
            shared=1,
        )

    def _traces(self, t: int, target: int | None, recurrent: bool) -> Iterator[Operation]:
        """Presynaptic traces of the projections into `target` (None: into any)."""
        for trace in self.layout.traces:
            if trace.recurrent == recurrent and target in (None, trace.target):
                yield self._trace(trace, t)

    def _trace(self, trace: Trace, t: int) -> Operation:
        rates = trace.rates
        return Operation(
            Kind.TRACE,
            context=t,
            n=rates.n,
            extra=self.layout.outputs[trace.source][t],
            prior=int(trace.recurrent or self.parallel and trace.source > 0),
            neurons=trace.neurons[t],
            weights=trace.coefficient,
            rates=rates.pairs[t],
            bias=_one(rates),
            shared=1,
        )

    def _prior(self, k: int) -> int:
        """The rates that projection k weighs are in the memory of this step, from before."""
        p = self.network.projections[k]
        return int(self.parallel and not p.recurrent and p.source > 0)

    def _forward(self, l: int, t: int) -> Iterator[Operation]:
        """Sums over all projections into population l, and its membranes."""
        network, layout = self.network, self.layout
        incoming, n, rows = network.incoming(l), network.sizes[l], self.machine.rows
        whole = layout.groups[incoming[0]]
        # sums live in the array for one group only: several projections take turns group by group
        parts = [(0, whole)] if len(incoming) == 1 else [(g, 1) for g in range(whole)]
        rates, kept = layout.rates[l], layout.outputs.get(l)
        for group, groups in parts:
            first = group * rows
            count = min(n - first, groups * rows)
            interval = 0
            for k in incoming:
                words, source = layout.pairs[k], layout.source_rates(k)
                interval = forward_interval(self.machine, words)
                yield Operation(
                    Kind.FORWARD,
                    context=t,
                    words=words,
                    groups=groups,
                    interval=interval,
                    weights=layout.weights[k] + group * words,
                    rates=source.pairs[t],
                    bias=self._constant(k),
                    prior=self._prior(k),
                    head=int(k == incoming[0]),
                    tail=int(k == incoming[-1]),
                )
            yield Operation(
                Kind.MEMBRANE,
                context=t,
                n=count,
                interval=interval,
                neurons=layout.neurons[t][l - 1] + first,
                weights=layout.coefficients[l - 1] + first,
                rates=rates.pairs[t] + first // 2,
                odd=first % 2,
                bias=_one(rates) if first + count == n else Bias.NONE,
                table=layout.tables.get(network.populations[l - 1].function, 0),
                output=int(kept is not None),
                extra=kept[t] + first if kept else 0,
                prior=int(not self.parallel),
                head=int(first == 0),
            )
        if l == len(network.populations) and network.cost == "cross_entropy":
            yield from self._softmax(l, t)

    def _softmax(self, l: int, t: int) -> Iterator[Operation]:
        layout = self.layout
        exponentials = Operation(
            Kind.EXP,
            context=t,
            n=self.network.outputs,
            extra=layout.outputs[l][t],
            neurons=layout.neurons[t][l - 1],
            weights=layout.shared["exp"],
            table=layout.tables[EXP],
            shared=1,
        )
        yield exponentials
        yield replace(exponentials, kind=Kind.NORM, extra=0, table=0, weights=layout.shared["norm"])

    def _error(self, l: int, t: int) -> Operation:
        network, layout = self.network, self.layout
        cost = Cost.HIDDEN
        if l == len(network.populations):
            cost = Cost.SOFTMAX if network.cost == "cross_entropy" else Cost.SQUARED
        return Operation(
            Kind.ERROR,
            context=t,
            n=network.sizes[l],
            neurons=layout.neurons[t][l - 1],
            weights=layout.coefficients[l - 1],
            cost=cost,
            g=int(learns_times(network.populations[l - 1])),
            extra=layout.outputs[l][t] if cost else 0,
            prior=int(self.parallel),
            keep=int(self.machine.interval == 1 and not cost and network.populations[l - 1].g == 1),
        )

    def _joint(self, k: int) -> bool:
        """One sweep makes q and gradient: same weights, same e, at the same time."""
        p = self.network.projections[k]
        return p.source > 0 and p.backward == "transpose" and (self.parallel or not p.recurrent)

    def _gradients(self, l: int, t: int) -> Iterator[Operation]:
        """Gradients of projections into population l that no sweep for q makes."""
        for k in self.network.incoming(l):
            if not self._joint(k) and self.eta[k] is not None:
                yield from self._sweeps(k, t, self.layout.weights[k], q=False, g=True)

    def _errors_below(self, l: int, t: int) -> Iterator[Operation]:
        """q of population l from all it projects to, and gradients on the way."""
        sweeps: list[Operation] = []
        for k in self.network.outgoing(l) if l else ():
            weights = self.layout.backward.get(k, self.layout.weights[k])
            learns = self.eta[k] is not None and (
                self._joint(k) or self.network.projections[k].backward == "learned"
            )
            prior_e = int(self.layout.recurrent(k) and not self.parallel)
            if learns and prior_e:  # q is of the step before, the gradient of this one
                yield from self._sweeps(k, t, weights, q=False, g=True)
                learns = False
            sweeps += self._sweeps(k, t, weights, q=True, g=learns, prior_e=prior_e)
        for n, op in enumerate(sweeps):
            yield replace(op, head=int(n == 0), tail=int(op is sweeps[-1]))

    def _sweeps(
        self, k: int, t: int, weights: int, q: bool, g: bool, prior_e: int = 0
    ) -> list[Operation]:
        layout, p = self.layout, self.network.projections[k]
        columns = self.network.sizes[p.source] + p.bias
        return [
            Operation(
                Kind.BACK,
                context=t,
                words=columns,
                groups=run.groups,
                interval=back_interval(self.machine, columns, run.groups, q),
                n=self.network.sizes[p.source],
                weights=weights + run.group * layout.pairs[k],
                rates=run.rates.pairs[t],
                neurons=layout.neurons[t][p.target - 1] + run.group * self.machine.rows,
                extra=layout.neurons[t][p.source - 1] if q else 0,
                q=int(q),
                g=int(g),
                bias=self._constant(k),
                prior=0 if run.traced else self._prior(k),
                prior_e=prior_e,
                skip=run.skip,
                rows=run.rows,
                keep=int(run.keep or (g and self.optimizer.carries)),
            )
            for run in self._runs(k, g)
        ]

    def _runs(self, k: int, g: bool) -> Iterator[_Run]:
        """Neurons in runs of equal time constants where they learn by traces, else all at once."""
        layout, p, rows = self.layout, self.network.projections[k], self.machine.rows
        population = self.network.populations[p.target - 1]
        if not g or population.rule != "trace":
            yield _Run(
                0, layout.groups[k], 0, population.size, layout.source_rates(k), False, False
            )
            return
        pairs = taus_of(population)
        taus = [pair if pair[0] != pair[1] else None for pair in pairs]  # None: not traced
        starts = [i for i in range(len(taus)) if i == 0 or taus[i] != taus[i - 1]]
        for first, end in zip(starts, [*starts[1:], len(taus)], strict=True):
            own = taus[first]
            rates = layout.trace(k, *own).rates if own else layout.source_rates(k)
            while first < end:  # a group that the run before has touched is swept by itself
                skip = first % rows
                last = min(end, first - skip + rows) if skip else end
                groups = -(-(last - first + skip) // rows)
                traced, keep = own is not None, skip > 0
                yield _Run(first // rows, groups, skip, last - first, rates, traced, keep)
                first = last

    def _constant(self, k: int) -> Bias:
        """Where the constant one stands in the last pair of what projection k weighs."""
        p = self.network.projections[k]
        if not p.bias:
            return Bias.NONE
        return Bias.HIGH if self.network.sizes[p.source] % 2 else Bias.LOW

    def _times(self) -> Iterator[Operation]:
        """New time constants, once the weights have changed."""
        for l, population in enumerate(self.network.populations, 1):
            if not learns_times(population):
                continue
            rates = (population.eta_tau_m, population.eta_tau_r)
            tau_m, tau_r = (
                rate_operand(tau_rate(rate, self.network.dt, self.machine.formats)[0])
                for rate in rates
            )
            yield Operation(
                Kind.TIMES,
                n=population.size,
                weights=self.layout.coefficients[l - 1],
                interval=tau_m,
                words=tau_r,
                output=int(population.prospective_errors),
            )

    def _applies(self) -> Iterator[Operation]:
        layout, optimizer = self.layout, self.optimizer
        fine = self.network.apply_every == 1 or optimizer.rule != Rule.SGD
        for k, eta in enumerate(self.eta):
            if eta is None:
                continue
            firsts = [(k, layout.weights[k])]
            if self.network.projections[k].backward == "learned":
                firsts.append((k + len(self.eta), layout.backward[k]))
            # one for each of the rows that share a lane; those beyond the last neuron have nothing
            size = self.network.sizes[self.network.projections[k].target]
            for number, first in firsts:
                op = Operation(
                    Kind.APPLY,
                    words=layout.pairs[k],
                    groups=layout.groups[k],
                    weights=first,
                    interval=rate_operand(eta),
                    n=number,
                    output=int(fine),
                    table=int(optimizer.rule),
                    rates=optimizer.decays[0],
                    neurons=optimizer.decays[1],
                )
                turns = range(min(size, self.machine.apply_rows))
                yield from (replace(op, skip=turn) for turn in turns)


def _one(rates: Rates) -> Bias:
    """Where the constant one stands after the rates."""
    if not rates.one:
        return Bias.NONE
    return Bias.HIGH if rates.n % 2 else Bias.LOW
