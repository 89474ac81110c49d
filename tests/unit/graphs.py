# SPDX-License-Identifier: Apache-2.0
"""Networks with every mechanism of the core, small enough for a simulator."""

from antevolt.hdl.spec.network import Network, Population, Projection

__all__ = ["GRAPHS"]

TAUS = (1.0, 1.0, 1.0, 3.0, 3.0, 2.0, 2.0)


def _output(n: int = 3) -> Population:
    return Population(n, "linear", rule="instantaneous")


GRAPHS: dict[str, Network] = {
    "skip": Network(
        3,
        (Population(5, "tanh", 2.0, 1.5, 0.1), Population(4, "sigmoid", 3.0), _output()),
        (
            Projection(0, 1),
            Projection(1, 2),
            Projection(0, 2, bias=False),
            Projection(2, 3),
            Projection(1, 3, bias=False),
        ),
    ),
    "loops": Network(
        2,
        (
            Population(5, "tanh", 3.0, 1.5, 0.1, rule="instantaneous"),
            Population(4, "hard_tanh", 2.0, rule="trace"),
            _output(),
        ),
        (
            Projection(0, 1),
            Projection(1, 1, bias=False),
            Projection(1, 2),
            Projection(2, 1, bias=False),
            Projection(2, 3),
        ),
    ),
    "traces": Network(
        2,
        (
            Population(7, "tanh", TAUS, rule="trace"),
            Population(5, "softplus", (4.0, 4.0, 1.0, 1.0, 1.0), rule="trace"),
            _output(),
        ),
    ),
    "softmax": Network(
        2,
        (Population(7, "relu", 2.0, rule="instantaneous"), _output(4)),
        cost="cross_entropy",
        softmax_gain=2.5,
    ),
    "logits": Network(
        2,
        (Population(7, "tanh", TAUS, rule="trace"), _output(4)),
        cost="cross_entropy",
        softmax_gain=4.0,
        tau_z=5.0,
    ),
    "backward": Network(
        2,
        (Population(5, "tanh", 2.0, 1.0, g=0.75), Population(4, "softplus", 2.0), _output()),
        (
            Projection(0, 1),
            Projection(1, 2, backward="fixed"),
            Projection(2, 3, backward="learned"),
        ),
    ),
    "all": Network(
        3,
        (
            Population(7, "tanh", TAUS, rule="trace", g=0.7),
            Population(5, "relu", (4.0, 4.0, 1.0, 1.0, 1.0), rule="trace"),
            Population(4, "sigmoid", 2.0, 1.5, rule="instantaneous"),
            _output(4),
        ),
        (
            Projection(0, 1),
            Projection(1, 1, bias=False),
            Projection(1, 2, backward="learned"),
            Projection(0, 2, bias=False),
            Projection(2, 3),
            Projection(3, 2, bias=False, backward="fixed"),
            Projection(3, 4),
            Projection(1, 4, bias=False),
        ),
        cost="cross_entropy",
        softmax_gain=2.0,
    ),
}
