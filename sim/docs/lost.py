# SPDX-License-Identifier: Apache-2.0
"""What the array's time goes to, beside useful work: counted from the compiler's timetable."""

from dataclasses import dataclass

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.hdl.spec.timing import MIN_DELAY, WALKER, Timing
from antevolt.host.compile import compile
from antevolt.host.schedule import LEARNING, streaming
from antevolt.sim.docs.slots import NETWORK, core, used

__all__ = ["CAUSES", "lost", "shares"]

CORES = ((9, 7, 2, 2), (3, 18, 2, 2))
SWEEPS = (Kind.FORWARD, Kind.BACK)
CAUSES = {
    "useful": "useful products",
    "unneeded": "products of rows that a layer does not fill, and of columns without an error",
    "paced": "sweeps shorter than their filters or their pushes take",
    "pushes": "errors on their way into the rows before a BACK sweeps",
    "streams": "inputs, for which everything waits",
    "applies": "changes of the weights, once in `apply_every` steps",
    "rest": "other waiting: between operations, for rates, and at the end of a step",
}
"""The order of the table, and how it says it."""


@dataclass(frozen=True)
class _Sweep:
    """A FORWARD or BACK on the clock of the sequencer: first slot, and the first one after it."""

    op: Operation
    first: int
    end: int


def _sweeps(operations: tuple[Operation, ...], timing: Timing) -> list[_Sweep]:
    """Slots of a step without APPLY, as if no operation blocked."""
    now, found = 0, []
    for op in operations:
        if op.kind in SWEEPS:
            first = now + WALKER + (timing.lead if op.kind == Kind.BACK else 0)
            end = first + (op.groups - 1) * op.interval + timing.slots(op)
            found.append(_Sweep(op, first, end))
        if not op.blocking:
            now += MIN_DELAY if op.kind in LEARNING else op.delay
    return sorted(found, key=lambda sweep: sweep.first)


def shares(network: Network, machine: Machine) -> dict[str, float]:
    """Shares of a step's cycles by cause, which add up to 1; the mean over steps with and without
    an APPLY, every stream with a target that is there in time."""
    table = compile(network, machine).timetable
    cycles, useful = used(network, machine)
    timing = Timing(machine)
    sweeps = _sweeps(table.operations, timing)
    busy = sum(sweep.end - sweep.first for sweep in sweeps)
    swept = sum(sweep.op.groups * timing.slots(sweep.op) for sweep in sweeps)
    pushes, end = 0, sweeps[0].first
    for sweep in sweeps:
        if sweep.op.kind == Kind.BACK:
            pushes += min(sweep.first - end, timing.lead)
        end = sweep.end
    silent = sum(streaming(op, machine.streams) for op in table.operations if op.blocking)
    found = {
        "useful": useful * cycles,
        "unneeded": swept - useful * cycles,
        "paced": busy - swept,
        "pushes": pushes,
        "streams": silent,
        "applies": cycles - table.cycles_plain,
    }
    rest = cycles - sum(found.values())
    return {name: n / cycles for name, n in {**found, "rest": rest}.items()}


def lost() -> str:
    """A table of two cores."""
    found = [shares(NETWORK, core(*each)) for each in CORES]
    lines = [f"| of the cycles of a step | {' | '.join(f'{r} x {s}' for r, s, *_ in CORES)} |"]
    lines.append("|---" * (1 + len(CORES)) + "|")
    for name, said in CAUSES.items():
        lines.append(f"| {said} | {' | '.join(f'{100 * one[name]:.1f} %' for one in found)} |")
    return "\n".join(lines)
