# SPDX-License-Identifier: Apache-2.0
"""Learned synapses per second of the boards that were placed: cycles and clock of one build."""

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.results import stored
from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.sim.docs.slots import NETWORK, used

__all__ = ["learned", "throughput"]


def learned(streams: int, cycles: float, megahertz: float) -> float:
    """Weights times streams per second, in 10^9, at a step of so many cycles."""
    return NETWORK.weight_count * streams * megahertz / cycles / 1e3


def throughput() -> str:
    """A table of the placed boards whose core holds `NETWORK`."""
    lines = [
        (
            "| board | core | streams | cycles of a step | array used | synapses a cycle "
            "| median clock | learned synapses/s | build |"
        ),
        "|---" * 9 + "|",
    ]
    for board in BOARDS.values():
        result = stored(board)
        if result is None:
            continue
        try:
            cycles, share = used(NETWORK, board.machine)
        except DoesNotFit:
            continue
        streams = board.machine.total_streams
        lines.append(
            f"| `{board.name}` | {result.core} | {streams} | {cycles:,.0f} | {share:.1%} "
            f"| {NETWORK.weight_count * streams / cycles:.1f} | {result.median:.1f} MHz "
            f"| {learned(streams, cycles, result.median):.2f} G | `{result.id}` |"
        )
    return "\n".join(lines) if len(lines) > 2 else "None was placed yet."
