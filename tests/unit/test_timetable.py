# SPDX-License-Identifier: Apache-2.0
"""Whom the timetable lets meet: sweeps never, nor a filter's neurons, nor the errors of two sweeps.

Slots and commands are laid on one clock by what the gateware does with each operation, not by the
scheduler's own account of them.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.program import ERRORS, FILTERS, Kind
from antevolt.hdl.spec.timing import COEFFICIENTS, MIN_DELAY, WALKER, Timing
from antevolt.host.campaign import random_cases
from antevolt.host.compile import compile
from antevolt.host.schedule import LEARNING
from antevolt.sim.docs.slots import NETWORK

MACHINES = {
    "a neuron every 5 cycles": Machine(rows=3, traces=True),
    "a neuron every 2 cycles": Machine(rows=4, tile_rows=2, multipliers=3),
    "a neuron per cycle": Machine(rows=6, tile_rows=3, multipliers=5),
    "a neuron per cycle, contexts": Machine(rows=4, tile_rows=2, contexts=2, multipliers=5),
    "a neuron per cycle, a row per neuron": Machine(rows=16, tile_rows=4, multipliers=5, moments=1),
}
NETWORKS = 12


def issues(image):
    """(cycle, operation) of a step without APPLY, as if no operation blocked."""
    now = 0
    for op in image.operations:
        if op.kind in LEARNING and op.keep:
            return
        yield now, op
        now += 0 if op.blocking else MIN_DELAY if op.kind in LEARNING else op.delay


def slots(image):
    """Cycles of the array, by sweep; pushes of errors, by cycle."""
    timing = Timing(image.machine)
    swept, pushed = [], []
    for at, op in issues(image):
        if op.kind in (Kind.FORWARD, Kind.BACK):
            first = at + WALKER + (timing.lead if op.kind == Kind.BACK else 0)
            groups = [first + g * op.interval for g in range(op.groups)]
            swept.append([(g, g + timing.slots(op)) for g in groups])
        if op.kind == Kind.BACK:
            rows = range(image.machine.rows)
            starts = [at + WALKER + g * op.interval for g in range(op.groups)]
            pushed += [start + timing.push * i for start in starts for i in rows]
    return swept, pushed


def commands(image):
    """(cycle, whether it is an error) of every neuron of the filters."""
    rows, spacing = image.machine.rows, image.machine.interval
    for at, op in issues(image):
        if op.kind in FILTERS:
            first, error = at + WALKER + COEFFICIENTS, op.kind in ERRORS
            pace = op.interval if op.kind == Kind.MEMBRANE else rows * spacing
            for j in range(op.n):
                yield first + j // rows * pace + j % rows * spacing, error


def images(own):
    cases = random_cases(NETWORKS, own, 2)
    assert len(cases) == NETWORKS
    for case in cases:
        for schedule in ("sequential", "parallel"):
            # logits that leak go with the sequential schedule only
            leaks = None if schedule == "parallel" else case.network.tau_z
            yield compile(case.network.with_(schedule=schedule, tau_z=leaks), case.machine)


@pytest.mark.parametrize("name", MACHINES)
def test_nothing_meets(name):
    own, asides, schedules = MACHINES[name], 0, Counter()
    timing = Timing(own)
    for image in images(own):
        schedules[image.network.schedule] += 1
        swept, pushed = slots(image)
        ordered = sorted(span for sweep in swept for span in sweep)
        for (_, end), (start, _) in zip(ordered, ordered[1:], strict=False):
            assert end <= start
        assert len(set(pushed)) == len(pushed)
        asides += swept != sorted(swept)
        told = sorted(commands(image))
        for (before, error), (after, other) in zip(told, told[1:], strict=False):
            wait = timing.filter.gap if error and not other else 0
            assert after - before >= own.interval + wait
    assert schedules == dict.fromkeys(("sequential", "parallel"), NETWORKS)
    if not timing.aside or own.rows >= 16:  # with few rows no FORWARD fits in between
        assert bool(asides) == timing.aside


def test_a_step_of_many_layers_is_as_short_as_its_neurons_allow():
    """The parallel schedule of a core with a row for each neuron of a layer: all pass the filter
    twice, one per cycle, and little else takes time."""
    own = Machine(rows=54, multipliers=5, tile_rows=6, w_depth=256)
    cycles = compile(NETWORK.with_(schedule="parallel"), own).timetable.cycles_plain
    neurons = 2 * int(np.sum(NETWORK.sizes[1:]))
    assert neurons < cycles < neurons + 2 * Timing(own).filter.written + 50
    without = compile(
        NETWORK.with_(schedule="parallel"), replace(own, multipliers=4)
    ).timetable.cycles_plain
    assert cycles < 0.6 * without
