# SPDX-License-Identifier: Apache-2.0
"""The energy of a network: what its errors and its output cost, read from the core's memories."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antevolt.host.backend import Backend
from antevolt.host.state import Memory
from antevolt.sim.golden.cost import cost

__all__ = ["Energy", "energy_of"]


@dataclass(frozen=True)
class Energy:
    """After a step.

    errors  [populations, S] 1/2 |e|^2
    cost    [S] beta C of the outputs, zero where the step had no target
    """

    errors: NDArray[np.float64]
    cost: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """[S]"""
        return np.asarray(self.errors.sum(axis=0) + self.cost)


def energy_of(
    memory: Memory, backend: Backend, targets: NDArray[np.float64], targeted: NDArray[np.bool_]
) -> Energy:
    """Of the states as they are; targets [S, outputs] of the last step, for streams [S]."""
    network, places = memory.network, memory.places

    def read(name: str) -> NDArray[np.float64]:
        place = places[name]
        return place.fmt.to_real(place.gather(backend))

    depth = len(network.populations)
    errors = [0.5 * np.square(read(f"population.{l + 1}.e")).sum(axis=1) for l in range(depth)]
    logits = f"population.{depth + 1}.kept"  # leaky ones, which the cost reads
    z = read(logits if logits in places else "output")
    costs = network.beta * cost(network.cost, z, targets, network.softmax_gain)
    return Energy(np.array(errors), np.where(targeted, costs, 0.0))
