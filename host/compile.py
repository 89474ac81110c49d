# SPDX-License-Identifier: Apache-2.0
"""From a network to what a core needs: program, coefficients, tables, and a clean start."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Operation
from antevolt.hdl.spec.time_constants import ratios
from antevolt.host.layout import Layout
from antevolt.host.optimizer import optimizer_of
from antevolt.host.phi_tables import table
from antevolt.host.placing import CHOSEN, place
from antevolt.host.program import orders
from antevolt.host.quantize import (
    coefficient,
    learning_rate,
    learns_times,
    shifts,
    taus_of,
    time_constant,
)
from antevolt.host.schedule import Timetable, schedule

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

    @property
    def fingerprint(self) -> int:
        """Of the program and the tables, 32 bits and never 0: what a board says it runs."""
        found = 0
        for region, unit, index, words in self.words:
            if region in (Region.PROGRAM, Region.PHI):
                found = zlib.crc32(repr((int(region), unit, index)).encode(), found)
                found = zlib.crc32(np.asarray(words, dtype="<i8").tobytes(), found)
        return found or 1


def compile(network: Network, machine: Machine) -> Image:
    """Raises DoesNotFit for a network the core cannot hold, BadNetwork for one it cannot run."""
    optimizer = optimizer_of(network, machine)
    layout = place(network, machine)
    rates = [
        learning_rate(network.eta if p.eta is None else p.eta, machine.formats, optimizer.rule)
        if p.learn
        else None
        for p in layout.network.projections
    ]
    programs = orders(layout, [rate[0] if rate else None for rate in rates], optimizer)
    fitting = [program for program in programs if len(program) <= machine.program_depth]
    if not fitting:
        raise DoesNotFit(
            "program",
            min(map(len, programs)),
            machine.program_depth,
            f"use fewer populations or contexts, or a larger program_depth {CHOSEN}",
        )
    timetables = (schedule(program, machine) for program in fitting)
    timetable = min(timetables, key=lambda table: table.cycles_plain)
    words = (
        *_memories(layout),
        _program(timetable.operations),
        *_coefficients(layout),
        *_times(layout),
        *_tables(layout),
        *_registers(network),
    )
    given = rates[: len(network.projections)]
    return Image(
        network,
        machine,
        layout,
        timetable,
        words,
        tuple(rate[1] if rate else None for rate in given),
        optimizer.momenta,
    )


def _memories(layout: Layout) -> Iterator[Words]:
    """Zeroed states and sums, and the constant ones."""
    machine = layout.machine
    for region in (
        Region.GRADIENTS,
        Region.MOMENTS,
        Region.SUMS,
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
    for rates in layout.all_rates:
        if rates.one:
            for first in rates.pairs:
                pairs[first + rates.n // 2] |= one << rates.n % 2 * machine.formats.word
    for unit in range(machine.streams):
        yield Region.RATES, unit, 0, pairs


def _program(program: tuple[Operation, ...]) -> Words:
    chunks = [chunk for op in program for chunk in op.encode()]
    return Region.PROGRAM, 0, 0, np.array(chunks, dtype=np.int64)


def _coefficients(layout: Layout) -> Iterator[Words]:
    """gamma, a_m, rho for MEMBRANE, scale, a_r, kappa for ERROR; four words per neuron and mode.

    The local gain g scales q, and so e: v' = g v obeys the same equation with g eps.
    """
    network, f = layout.network, layout.machine.formats
    general, of_gamma, of_beta = shifts(f)
    for l, population in enumerate(network.populations, 1):
        g = population.g
        output = l == len(network.populations)
        scale = ("beta g", network.beta * g, of_beta) if output else ("g", g, general)
        words = np.zeros((population.size, 2, 4), dtype=np.int64)
        for i, (tau_m, tau_r) in enumerate(taus_of(population)):
            kappa, tau_v = population.error_filter[i]
            dt, where = network.dt, f"of population {l}, neuron {i}"
            values = [
                (("gamma", population.gamma, of_gamma), ("a_m", dt / tau_m, general),
                 ("rho", tau_r / tau_m, general)),
                (scale, ("a_r", dt / tau_v, general), ("kappa", kappa, general)),
            ]  # fmt: skip
            if not population.prospective_errors:  # v and e follow eps at once
                values[1] = (values[1][0], ("a_r", 1.0, general), ("kappa", 1.0, general))
            for mode, triple in enumerate(values):
                for which, (name, value, shift) in enumerate(triple):
                    words[i, mode, which] = coefficient(f"{name} {where}", value, shift, f)
            if learns_times(population):  # as the core will make them
                raw_m, raw_r = (time_constant(tau / dt, where) for tau in (tau_m, tau_r))
                words[i, 0, 1:3] = ratios(raw_m, raw_r, f)
                if population.prospective_errors:
                    words[i, 1, 1:3] = ratios(raw_r, raw_m, f)
        yield Region.COEFFICIENTS, 0, 8 * layout.coefficients[l - 1], words.reshape(-1)
    for number, triples in _shared(layout):
        words = np.zeros((2, 4), dtype=np.int64)
        for mode, named in enumerate(triples):
            for which, (name, value) in enumerate(named):
                words[mode, which] = coefficient(name, value, general, f)
        yield Region.COEFFICIENTS, 0, 8 * number, words.reshape(-1)


def _times(layout: Layout) -> Iterator[Words]:
    """Time constants in steps, and zeroed sums."""
    dt = layout.network.dt
    for l, population in enumerate(layout.network.populations, 1):
        if not learns_times(population):
            continue
        words = np.zeros((population.size, 4), dtype=np.int64)
        for i, taus in enumerate(taus_of(population)):
            where = f"of population {l}, neuron {i}"
            words[i, :2] = [time_constant(tau / dt, where) for tau in taus]
        yield Region.TIMES, 0, 4 * layout.coefficients[l - 1], words.reshape(-1)


Named = tuple[str, float]
NOTHING: Named = ("none", 0.0)


def _shared(layout: Layout) -> Iterator[tuple[int, tuple[tuple[Named, ...], ...]]]:
    """Coefficients that all neurons of an operation have: their place, and both modes."""
    network = layout.network
    for trace in layout.traces:
        a_m, rho = ("a_m of a trace", network.dt / trace.tau_m), trace.tau_r / trace.tau_m
        yield trace.coefficient, ((NOTHING, a_m, ("rho of a trace", rho)), (NOTHING,) * 3)
    values: dict[str, tuple[tuple[Named, ...], ...]] = {
        "copy": ((NOTHING, NOTHING, ("one", 1.0)), (NOTHING,) * 3),
        "exp": ((NOTHING, NOTHING, ("softmax_gain", network.softmax_gain)), (NOTHING,) * 3),
        "norm": ((NOTHING,) * 3, (NOTHING, NOTHING, ("one", 1.0))),
    }
    for name, number in layout.shared.items():
        yield number, values[name]


def _tables(layout: Layout) -> Iterator[Words]:
    log2 = layout.machine.phi_log2
    for (phi, r_max), number in layout.tables.items():
        words = table(phi, layout.machine.formats, log2, r_max)
        yield Region.PHI, 0, (number - 1) << (log2 + 1), words.reshape(-1)


def _registers(network: Network) -> Iterator[Words]:
    values = {
        Register.STEP: 0,
        Register.SEED: network.seed & 0xFFFFFFFF,
        Register.APPLY_EVERY: network.apply_every,
        Register.LEARNED: 0,
        Register.OUTPUT_EVERY: 1,
    }
    rest = np.zeros(Register.SATURATED + len(KINDS) - Register.CYCLES, dtype=np.int64)
    yield Region.REGISTERS, 0, int(Register.CYCLES), rest
    for register, value in values.items():
        yield Region.REGISTERS, 0, int(register), np.array([value], dtype=np.int64)
