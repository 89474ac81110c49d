# SPDX-License-Identifier: Apache-2.0
"""Small networks that use everything a program can hold, and cores for them."""

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population, Projection

__all__ = ["MACHINES", "NETWORKS"]

P, J = Population, Projection
MIXED_7, MIXED_5 = (1.0, 1.0, 1.0, 3.0, 3.0, 2.0, 2.0), (4.0, 4.0, 1.0, 1.0, 1.0)

NETWORKS = {
    "chain": Network(
        3,
        (P(5, "tanh", (2.0, 2.0, 2.0, 1.0, 1.0), 1.0, 0.1), P(3, "linear")),
        eta=2**-6,
    ),
    "skip": Network(
        3,
        (P(5, "tanh", 2.0, 1.5, 0.1), P(4, "sigmoid", 3.0, 1.0), P(3, "linear")),
        (J(0, 1), J(1, 2), J(0, 2, bias=False), J(2, 3), J(1, 3, bias=False)),
        eta=2**-6,
    ),
    "recurrent": Network(
        2,
        (P(5, "tanh", 3.0, 1.5, 0.1), P(4, "hard_tanh", 2.0, 1.0), P(3, "linear")),
        (J(0, 1), J(1, 1, bias=False), J(1, 2), J(2, 1, bias=False), J(2, 3)),
        eta=2**-6,
    ),
    "trace": Network(
        2,
        (
            P(7, "tanh", MIXED_7, 1.0, rule="trace"),
            P(5, "relu", MIXED_5, 1.0, rule="trace"),
            P(3, "linear", rule="instantaneous"),
        ),
        eta=2**-6,
    ),
    "softmax": Network(
        2,
        (P(7, "tanh", 2.0, 1.0, rule="instantaneous"), P(4, "linear", rule="instantaneous")),
        cost="cross_entropy",
        softmax_gain=2.5,
        eta=2**-5,
    ),
    "leaky": Network(
        2,
        (
            P(7, "tanh", MIXED_7, 1.0, rule="trace"),
            P(4, "linear", rule="instantaneous"),
        ),
        cost="cross_entropy",
        softmax_gain=4.0,
        tau_z=5.0,
        eta=2**-5,
    ),
    "backward": Network(
        2,
        (P(5, "tanh", 2.0, 1.0), P(4, "softplus", 2.0, 1.0), P(3, "linear")),
        (J(0, 1), J(1, 2, backward="fixed"), J(2, 3, backward="learned")),
        eta=2**-5,
    ),
    "all": Network(
        3,
        (
            P(7, "tanh", MIXED_7, 1.0, rule="trace", g=0.7),
            P(5, "relu", MIXED_5, 1.0, rule="trace"),
            P(4, "sigmoid", 2.0, 1.5),
            P(4, "linear", rule="instantaneous"),
        ),
        (
            *(J(0, 1), J(1, 1, bias=False), J(1, 2, backward="learned"), J(0, 2, bias=False)),
            *(J(2, 3), J(3, 2, bias=False, backward="fixed"), J(3, 4), J(1, 4, bias=False)),
        ),
        cost="cross_entropy",
        softmax_gain=2.0,
        eta=2**-5,
    ),
}

MACHINES = {
    "18": Machine(
        rows=2,
        streams=2,
        w_depth=256,
        r_depth=256,
        state_depth=256,
        q_depth=64,
        program_depth=512,
        tables=4,
    ),
    "16, contexts": Machine(
        rows=3,
        streams=2,
        contexts=2,
        filters=2,
        multipliers=2,
        w_depth=512,
        r_depth=256,
        state_depth=512,
        q_depth=64,
        io_depth=128,
        program_depth=1024,
        tables=4,
        tile_rows=2,
        formats=Formats(16),
    ),
    "one stream": Machine(
        rows=3, w_depth=256, r_depth=256, state_depth=256, program_depth=512, tables=4
    ),
    "nine streams": Machine(
        rows=1, streams=9, w_depth=512, r_depth=256, state_depth=256, program_depth=512, tables=4
    ),
}
