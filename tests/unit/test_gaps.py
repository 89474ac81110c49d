# SPDX-License-Identifier: Apache-2.0
"""OUTPUTs in the background: where they go, and that nothing reads the output memory meanwhile."""

from dataclasses import replace
from itertools import pairwise

import pytest

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.hdl.spec.program import Cost, Kind, Operation
from antevolt.hdl.spec.timing import MIN_DELAY, WALKER, Timing
from antevolt.host.compile import compile
from antevolt.host.gaps import insert
from antevolt.host.schedule import TAKING, schedule

OUTPUT = Operation(Kind.OUTPUT, n=10, keep=1)
PLAIN = (Population(6, "tanh"), Population(5, "linear"))
RECURRENT = (
    Projection(0, 1),
    Projection(1, 1, bias=False),
    Projection(1, 2),
    Projection(0, 2, bias=False),
)
NETWORKS = {
    "one layer": Network(3, PLAIN[1:]),
    "two layers": Network(3, PLAIN),
    "three layers": Network(3, (Population(4, "tanh"), *PLAIN)),
    "cross entropy": Network(3, PLAIN, cost="cross_entropy"),
    "recurrent": Network(3, PLAIN, RECURRENT),
    "traces": Network(3, (Population(6, "tanh", 2.0, 1.0, rule="trace"), PLAIN[1])),
    "many outputs": Network(3, (PLAIN[0], Population(30, "linear"))),
}
MACHINES = {
    "1x1": Machine(),
    "2x3x2": Machine(rows=2, streams=3, contexts=2, multipliers=2),
    "1x2x2, near": Machine(streams=2, contexts=2, tile_streams=2, spacing=12, near=True),
}


def timed(operations):
    """(issue, operation) of all that does not block."""
    found, now = [], 0
    for op in operations:
        if not op.blocking:
            found.append((now, op))
            now += op.delay
    return found


def reads(op):
    return op.kind in (Kind.TRACE, Kind.EXP) or op.kind == Kind.ERROR and op.cost == Cost.SQUARED


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_reads_the_output_memory_beside_an_output(name, schedule, machine):
    network = NETWORKS[name].with_(schedule=schedule)
    found = timed(compile(network, machine).operations)
    end = next(issue for issue, op in found if op.kind in (Kind.APPLY, Kind.END))
    for (_, op), (_, following) in pairwise(found):
        assert (op.kind, following.kind) != (Kind.FORWARD, Kind.OUTPUT)
    for issue, output in found:
        if output.kind == Kind.OUTPUT:
            done = issue + TAKING + machine.streams * output.n
            assert done <= end
            for other, op in found:
                if reads(op):  # its first command comes WALKER cycles after its issue, or later
                    last = other + WALKER + (op.n - 1) * machine.interval
                    assert done <= other or last < issue
                if op.joins and op is not output:
                    assert done <= other or other < issue


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_delay_nothing_but_the_end(name, machine):
    """All else is issued as if there were none, up to what changes weights."""
    operations = compile(NETWORKS[name], machine).operations
    others = [op for op in operations if op.kind != Kind.OUTPUT]
    alone = timed(schedule(others, machine).operations)
    beside = [each for each in timed(operations) if each[1].kind != Kind.OUTPUT]
    late = set()
    for (before, op), (now, again) in zip(alone, beside, strict=True):
        assert replace(op, delay=0) == replace(again, delay=0)
        assert now >= before
        if op.kind in (Kind.APPLY, Kind.END):
            late.add(now - before)
        else:
            assert now == before
    assert len(late) == 1
    blocks = sum(machine.streams * op.n for op in operations if op.kind == Kind.OUTPUT)
    assert max(late) < blocks + 2 * (TAKING + MIN_DELAY)


def test_outputs_of_the_step_before_leave_first():
    found = [op for _, op in timed(compile(PARALLEL, MACHINES["1x1"]).operations)]
    assert (found[0].kind, found[0].prior) == (Kind.OUTPUT, 1)


PARALLEL = NETWORKS["two layers"].with_(schedule="parallel")


def test_a_gap():
    """The first one that is long enough, where nothing drains behind a FORWARD."""
    kinds = (Kind.FORWARD, Kind.MEMBRANE, Kind.BACK, Kind.ERROR, Kind.APPLY, Kind.END)
    operations, issues = [Operation(kind) for kind in kinds], [0, 50, 57, 90, 400, 500]
    assert insert(operations, issues, OUTPUT, 10, 40, ()) == 57 + MIN_DELAY + 40
    assert [op.kind for op in operations[2:5]] == [Kind.BACK, Kind.OUTPUT, Kind.ERROR]
    assert issues == [0, 50, 57, 57 + MIN_DELAY, 90, 400, 500]
    assert insert(operations, issues, OUTPUT, 10, 40, [(90, 120)]) == 120 + 40
    assert issues == [0, 50, 57, 57 + MIN_DELAY, 90, 120, 400, 500]


def test_a_gap_behind_a_back():
    """A BACK is at hand until its sweep begins."""
    kinds = (Kind.BACK, Kind.ERROR, Kind.BACK, Kind.ERROR, Kind.END)
    operations, issues = [Operation(kind) for kind in kinds], [0, 20, 40, 90, 400]
    assert insert(operations, issues, OUTPUT, 0, 40, (), 18) == 20 + MIN_DELAY + 40
    assert insert(operations, issues, OUTPUT, 37, 40, (), 18) == 40 + 18 + 40
    assert issues == [0, 20, 20 + MIN_DELAY, 40, 58, 90, 400]


@pytest.mark.parametrize("rows", [1, 2, 3, 9])
@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_back_is_at_hand_until_its_sweep_begins(name, schedule, rows):
    machine = Machine(rows=rows, streams=2, contexts=2, multipliers=2)
    operations = compile(NETWORKS[name].with_(schedule=schedule), machine).operations
    backs = [op for op in operations if op.kind == Kind.BACK]
    assert backs
    assert all(op.delay >= max(MIN_DELAY, Timing(machine).lead + 2) for op in backs)


def test_no_gap():
    """It is the last before the weights change, which wait for it."""
    operations = [Operation(kind) for kind in (Kind.BACK, Kind.APPLY, Kind.END)]
    issues = [0, 30, 50]
    assert insert(operations, issues, OUTPUT, 28, 40, ()) == 68
    assert [op.kind for op in operations] == [Kind.BACK, Kind.OUTPUT, Kind.APPLY, Kind.END]
    assert issues == [0, 28, 68, 88]


def test_what_does_not_wait_for_an_output_must_not_follow_it():
    program = [OUTPUT, Operation(Kind.TRACE, n=2), Operation(Kind.END)]
    with pytest.raises(ValueError, match="TRACE does not wait"):
        schedule(program, MACHINES["1x1"])
    waits = Operation(Kind.ERROR, n=2, cost=Cost.SQUARED)
    assert schedule([OUTPUT, waits, *program[1:]], MACHINES["1x1"])
