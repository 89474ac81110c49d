# SPDX-License-Identifier: Apache-2.0
"""Charts of a step in clock cycles, drawn from the timetable and the latencies of the gateware."""

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.hdl.spec.timing import COEFFICIENTS, WALKER, Timing
from antevolt.host.compile import compile
from antevolt.host.operands import operands

__all__ = ["neurons", "steps"]

MACHINE = Machine(rows=3, streams=2, multipliers=2)
NETWORK = Network(8, (Population(6, "tanh"), Population(2, "linear")))
PRODUCTS = "epfsu"  # gamma e | rho d | phi | phi' | a_m d
BOTH = "b"  # p and u at once
SHOWN = ("prior", "cost", "q", "g", "table", "n", "words", "groups", "interval", "eta")


def neurons() -> str:
    """The first FORWARD and MEMBRANE of a step, cycle by cycle, in column 0."""
    image = compile(NETWORK, MACHINE)
    at = next(n for n, op in enumerate(image.operations) if op.kind == Kind.FORWARD)
    forward, membrane = image.operations[at : at + 2]
    schedule, rows = Timing(MACHINE).filter, MACHINE.rows
    first = forward.delay + WALKER + COEFFICIENTS
    commands = [
        first + i // rows * forward.interval + i % rows * MACHINE.interval
        for i in range(membrane.n)
    ]
    length = commands[-1] + schedule.done + 1
    lines = ["```text", _ruler(length)]
    slots = [" "] * length
    for group in range(forward.groups):
        for pair in range(forward.words):
            slots[WALKER + group * forward.interval + pair] = str(pair % 10)
    lines.append(_row("array: pair", slots))
    for i, command in enumerate(commands):
        cells = [" "] * length
        cells[command : command + schedule.done] = "." * schedule.done
        cells[command] = "c"
        for start, letter in zip(schedule.starts, PRODUCTS, strict=True):
            taken = cells[command + start] != "."
            cells[command + start] = BOTH if taken else letter
        cells[command + schedule.done] = "r"
        lines.append(_row(f"neuron {i}, row {i % rows}", cells))
    return "\n".join([*lines, "```"])


def steps() -> str:
    """When each operation of a learning step is issued."""
    image = compile(NETWORK, MACHINE)
    lines = ["| issued at cycle | operation | operands |", "|---|---|---|"]
    table = image.timetable
    for op, issued in zip(image.operations, table.issues, strict=True):
        lines.append(f"| {issued} | {op.kind.name} | {_operands(op)} |")
    with_apply, without = table.cycles_learning, table.cycles_plain
    lines += [
        "",
        f"Cycles of a step, all streams with a target: {with_apply}; without APPLY {without}.",
    ]
    return "\n".join(lines)


def _operands(op: Operation) -> str:
    used = [f"{name}={value}" for name, value in operands(op).items() if name in SHOWN]
    return " ".join(used) + (" (and its stream)" if op.blocking else "")


def _row(name: str, cells: list[str]) -> str:
    return f"{name:<16}|{''.join(cells).rstrip()}"


def _ruler(length: int) -> str:
    return f"{'cycle':<16}|" + "".join(f"{n:<10}" for n in range(0, length, 10)).rstrip()
