# SPDX-License-Identifier: Apache-2.0
"""The network and the teacher that boards without a host are shown with (`docs/standalone.md`)."""

from antevolt.boards.board import Board
from antevolt.boards.standalone import standalone
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.bake import bake

__all__ = ["NETWORK", "TEACHER", "demonstrated"]

NETWORK = Network(
    1,
    (
        Population(6, "tanh", tau_m=(1.0, 2.0, 3.0, 4.0, 6.0, 8.0)),
        Population(1, "linear"),
    ),
    eta=2.0**-3,
    seed=1,
)
TEACHER = "antevolt.hdl.lagged:Lagged"


def demonstrated(board: Board) -> Board:
    """A board that is `hostless` with the demonstration in it; any other as it is."""
    if not board.hostless:
        return board
    return standalone(board, bake(NETWORK, board.machine), TEACHER)
