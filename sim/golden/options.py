# SPDX-License-Identifier: Apache-2.0
"""Time constants and masks that are given to the float model in place of the network's, checked."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network
from antevolt.sim.golden.activations import Array

__all__ = ["masks", "time_constants"]


def time_constants(
    network: Network, name: Literal["tau_m", "tau_r"], given: Sequence[ArrayLike] | None
) -> list[Array]:
    """[n] per population 1..L: copies of `given`, or the network's. Raises BadInput."""
    populations = network.populations
    values = [getattr(p, name) for p in populations] if given is None else given
    if len(values) != len(populations):
        raise BadInput(f"{name} is for {len(values)} populations; there are {len(populations)}")
    taus = [np.array(value, dtype=np.float64) for value in values]
    for k, (tau, population) in enumerate(zip(taus, populations, strict=True), 1):
        if tau.shape != (population.size,):
            raise BadInput(f"{name} of population {k} has shape {tau.shape}, not one per neuron")
        if not (np.isfinite(tau) & (tau > 0)).all():
            raise BadInput(f"{name} of population {k} is not finite and positive")
    return taus


def masks(weights: Sequence[Array], given: Mapping[int, ArrayLike]) -> dict[int, Array]:
    """Copies of `given`, each of the shape of its projection's weights. Raises BadInput."""
    checked = {}
    for k, mask in given.items():
        if k not in range(len(weights)):
            raise BadInput(f"there is no projection {k} to mask")
        checked[k] = np.array(mask, dtype=np.float64)
        if checked[k].shape != weights[k].shape:
            raise BadInput(
                f"the mask of projection {k} has shape {checked[k].shape}; "
                f"its weights have {weights[k].shape}"
            )
    return checked
