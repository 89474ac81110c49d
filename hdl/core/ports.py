# SPDX-License-Identifier: Apache-2.0
"""The core's ports: what each carries, when, and what a reset does to it; for the manual."""

from dataclasses import dataclass

from antevolt.hdl.core.tap import REPLY_LATENCY, reply_latency
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.timing import FEW_ROWS, Timing

__all__ = ["PORTS", "Port", "answer_latency", "markdown"]

SETTLE = 4  # cycles of the gate and of the bus around a tile's
HEAD = 2  # the same in a core that is near


def answer_latency(machine: Machine) -> int:
    """L: cycles that an access is under way."""
    if machine.near:
        return reply_latency(near=True) + HEAD
    timing = Timing(machine)
    return REPLY_LATENCY + SETTLE + max(timing.tiles_across, timing.tiles_down + timing.gathered)


@dataclass(frozen=True)
class Port:
    """One port of the Verilog module.

    name       in Verilog
    direction  as seen from the core
    width      in bits; W stands for the word
    carries    what it means
    moves      its latency
    running    its use while a step runs
    reset      what a reset does
    """

    name: str
    direction: str
    width: str
    carries: str
    moves: str
    running: str
    reset: str


def _stream(
    name: str, direction: str, width: str, carries: str, moves: str, running: str, reset: str
) -> list[Port]:
    """Payload, valid and ready of a stream."""
    valid, ready = ("-", "0") if direction == "in" else ("0", "-")
    back = "out" if direction == "in" else "in"
    taken = "the word is taken at this edge"
    if name == "access":  # whose ready answers valid at once
        ready = "1 with a request"
    return [
        Port(f"{name}__payload", direction, width, carries, moves, running, reset),
        Port(f"{name}__valid", direction, "1", "a word is offered", "-", "-", valid),
        Port(f"{name}__ready", back, "1", taken, "-", "-", ready),
    ]


PORTS: tuple[Port, ...] = (
    Port("clk", "in", "1", "clock, rising edge", "-", "-", "-"),
    Port("rst", "in", "1", "reset, synchronous, high", "1 cycle", "ends the step", "-"),
    *_stream(
        "x",
        "in",
        f"W + {INPUT_FLAG_BITS}",
        "an input in the W low bits (format r), the stream's flags above it, VALID lowest "
        "(`hdl/spec/flags.py`); they count with a stream's first word",
        "the first valid word starts a step; then one word per cycle, and one cycle more for each "
        "stream",
        "taken in INPUT only, in the order context, column, unit",
        "not ready; nothing is kept",
    ),
    *_stream(
        "y",
        "in",
        "W",
        "a target (format r), for streams whose flags are VALID and TARGET_VALID, and not "
        "TARGET_HELD",
        "one word per cycle, and one cycle more for each stream",
        "taken in TARGET only, in the order context, column, unit",
        "not ready; nothing is kept",
    ),
    *_stream(
        "out",
        "out",
        f"W + {FLAG_BITS}",
        "an output (format r), its stream's flags above it",
        "after its OUTPUT, up to one word per cycle",
        "of the streams that the output mode lets through (`hdl/spec/outputs.py`; after a reset, "
        "of all), in the order context, column, unit; a word stays until it is taken, "
        "also after the step",
        "not valid; words that were not taken are lost",
    ),
    *_stream(
        "access",
        "in",
        "65",
        "a request: write (1 bit, lowest), region (4), unit (8), index (16), data (36) "
        "(`hdl/spec/memory_map.py`)",
        "a write every 2 cycles, if `near` every L + 1; from a read to its answer L + 1 cycles; "
        "after a write, a read waits L cycles",
        "waits: taken between steps only, and then before the next step starts",
        "a request at work is lost",
    ),
    *_stream(
        "answer",
        "out",
        "36",
        "the word of a read request; a write has no answer",
        "stays until it is taken; until then no step starts",
        "never valid",
        "not valid",
    ),
    Port("busy", "out", "1", "a step runs", "1 cycle after it starts", "1", "0"),
)


def markdown() -> str:
    """The table of ports, and the L that is in it."""
    lines = [
        "| port | | bits | carries | latency | while a step runs | after a reset |",
        "|---|---|---|---|---|---|---|",
    ]
    for port in PORTS:
        cells = (port.width, port.carries, port.moves, port.running, port.reset)
        lines.append(f"| `{port.name}` | {port.direction} | {' | '.join(cells)} |")
    least = reply_latency(near=True) + HEAD
    latency = (
        f"L = {REPLY_LATENCY + SETTLE} + the larger of tiles across and down, and one where these "
        f"have more than {FEW_ROWS} rows; if `near`, {least}."
    )
    lines += ["", latency]
    return "\n".join(lines)
