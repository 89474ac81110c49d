# SPDX-License-Identifier: Apache-2.0
"""What several tasks are made of: neurons, first weights, sequences on streams, options."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.network import Network, Parameters, Population

__all__ = [
    "NEVER",
    "classifier",
    "fast_and_leaky",
    "started",
    "stepwise",
    "uniform_start",
]

NEVER = 1e17
"""tau_m = tau_r of instantaneous neurons, steps. They are instantaneous at any tau_m = tau_r, since
p = u + (s - u); but s - u is one word long (+-8). With a membrane that never moves from 0 it is s,
which fits; with one that follows at once it is the step from one s to the next, which need not."""


def fast_and_leaky(size: int, slow: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """tau_m and tau_r: a third instantaneous, the rest leaky integrators of slow / 2 and slow.

    Equal neurons stand together, the leaky ones first.
    """
    fast = size // 3
    half = (size - fast + 1) // 2
    leaky = (slow / 2,) * half + (slow,) * (size - fast - half)
    return leaky + (NEVER,) * fast, (1.0,) * len(leaky) + (NEVER,) * fast


def classifier(inputs: int, hidden: Sequence[Population], classes: int, **settings: Any) -> Network:
    """Of sequences: errors at every step from leaky logits; weights follow the momentum's sign.

    settings  of a Network, beside or in place of these
    """
    recipe: dict[str, Any] = {
        "cost": "cross_entropy",
        "softmax_gain": 4.0,
        "tau_z": 8.0,
        "optimizer": "sign",
        "momentum": 1 - 2.0**-3,
    }
    output = Population(classes, "linear", rule="instantaneous")
    return Network(inputs, (*hidden, output), **{**recipe, **settings})


def uniform_start(sizes: Sequence[int], seed: int) -> Parameters:
    """Of a chain: weights in +-1.7 / sqrt(inputs of a neuron), biases in +-1 / sqrt(inputs)."""
    rng, drawn = np.random.default_rng(seed), Parameters()
    for k, (source, target) in enumerate(zip(sizes, sizes[1:], strict=False)):
        drawn[f"{k}.weight"] = rng.uniform(-1.7, 1.7, (target, source)) / math.sqrt(source)
        drawn[f"{k}.bias"] = rng.uniform(-1, 1, target) / math.sqrt(source)
    return drawn


def started(network: Callable[[Any, int], Network]) -> Callable[[Any, int], Parameters]:
    """`uniform_start` of the chain that a task's `network` makes of settings and seed."""
    return lambda settings, seed: uniform_start(network(settings, seed).sizes, seed)


def stepwise(sequences: NDArray[Any], streams: int) -> NDArray[Any]:
    """Sequences [n, length, units] as steps [n length / streams, streams, units]."""
    _, length, units = sequences.shape
    batches = sequences.reshape(-1, streams, length, units)
    return batches.swapaxes(1, 2).reshape(-1, streams, units)
