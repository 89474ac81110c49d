# SPDX-License-Identifier: Apache-2.0
"""Learned synapses per second of the boards that were placed: cycles and clock of one build."""

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.results import builds, clock
from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.sim.docs.slots import NETWORK, used

__all__ = ["throughput"]


def throughput() -> str:
    """A table of the placed boards whose core holds `NETWORK`."""
    lines = [
        (
            "| board | core | streams | cycles of a step | array used | synapses a cycle "
            "| median clock | learned synapses/s | build |"
        ),
        "|---" * 9 + "|",
    ]
    for board, result in builds(BOARDS.values()):
        try:
            cycles, share = used(NETWORK, board.machine)
        except DoesNotFit:
            continue
        streams = board.machine.total_streams
        synapses = NETWORK.weight_count * streams / cycles
        lines.append(
            f"| `{board.name}` | {result.core} | {streams} | {cycles:,.0f} | {share:.1%} "
            f"| {synapses:.1f} | {clock(board, result)} "
            f"| {synapses * result.median / 1e3:.2f} G | `{result.id}` |"
        )
    return "\n".join(lines) if len(lines) > 2 else "None was placed yet."
