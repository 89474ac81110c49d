# SPDX-License-Identifier: Apache-2.0
"""The cost C of what the output says, z, against a target y, and the error -dC/dz it sends down.

    squared_error   C = 1/2 |y - z|^2                          error y - z
    cross_entropy   C = -1/gain sum y log softmax(gain z)      error y - softmax(gain z), y one-hot

z is the output rate r; with cross entropy it can be the leaky logits (`leaky`). The gain is in C
and not in the error, so that one is the derivative of the other; beta is the caller's.
"""

import numpy as np

from antevolt.sim.golden.activations import Array

__all__ = ["cost", "leaky", "output_error", "softmax"]


def softmax(z: Array) -> Array:
    """Softmax over the last axis."""
    exponential = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.asarray(exponential / exponential.sum(axis=-1, keepdims=True))


def leaky(z: Array, r: Array, b: float) -> Array:
    """The leaky logits after a step with the rates r, b = dt/tau_z."""
    return z + b * (r - z)


def output_error(kind: str, z: Array, y: Array, gain: float = 1.0) -> Array:
    """-dC/dz for z and y of one shape [..., n]; `gain` is of the cross entropy."""
    return y - (softmax(gain * z) if kind == "cross_entropy" else z)


def cost(kind: str, z: Array, y: Array, gain: float = 1.0) -> Array:
    """C of each row, [...], for z and y of one shape [..., n]."""
    if kind == "squared_error":
        return np.asarray(0.5 * np.square(y - z).sum(axis=-1))
    shifted = gain * (z - z.max(axis=-1, keepdims=True))
    logarithm = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray(-(y * logarithm).sum(axis=-1) / gain)
