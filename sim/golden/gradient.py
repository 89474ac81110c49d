# SPDX-License-Identifier: Apache-2.0
"""A change of all parameters of a network, in the ascent direction (that of falling cost)."""

from dataclasses import dataclass

import numpy as np

from antevolt.hdl.spec.network import Network
from antevolt.sim.golden.activations import Array

__all__ = ["Gradient"]


@dataclass
class Gradient:
    """Sums over streams and steps; a parameter moves by eta times its entry.

    weights       per projection, [target, source]; separate backward weights that learn share it
    biases        per projection, [target]; None where the projection has no bias
    tau_m, tau_r  per population 1..L, [neuron]
    """

    weights: list[Array]
    biases: list[Array | None]
    tau_m: list[Array]
    tau_r: list[Array]

    @classmethod
    def zeros(cls, network: Network) -> "Gradient":
        n = network.sizes
        return cls(
            [np.zeros((n[p.target], n[p.source])) for p in network.projections],
            [np.zeros(n[p.target]) if p.bias else None for p in network.projections],
            [np.zeros(p.size) for p in network.populations],
            [np.zeros(p.size) for p in network.populations],
        )

    def clear(self) -> None:
        """Set every entry to zero."""
        for entry in (*self.weights, *self.biases, *self.tau_m, *self.tau_r):
            if entry is not None:
                entry[...] = 0.0

    def projection(self, k: int) -> Array:
        """Weights and bias of projection `k` as one vector."""
        bias = self.biases[k]
        weights = self.weights[k].ravel()
        return weights if bias is None else np.concatenate([weights, bias])
