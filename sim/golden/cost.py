# SPDX-License-Identifier: Apache-2.0
"""The cost C of an output rate r against a target y, and the error q = -beta dC/dr it sends down.

squared_error   C = 1/2 |y - r|^2            q = beta (y - r)
cross_entropy   C = -sum y log softmax(r)    q = beta (y - softmax(r)), y one-hot
"""

import numpy as np

from antevolt.sim.golden.activations import Array

__all__ = ["cost", "output_error", "softmax"]


def softmax(r: Array) -> Array:
    """Softmax over the last axis."""
    exponential = np.exp(r - r.max(axis=-1, keepdims=True))
    return np.asarray(exponential / exponential.sum(axis=-1, keepdims=True))


def output_error(kind: str, r: Array, y: Array) -> Array:
    """-dC/dr for r and y of one shape [..., n]; beta is the caller's."""
    return y - (softmax(r) if kind == "cross_entropy" else r)


def cost(kind: str, r: Array, y: Array) -> Array:
    """C of each row, [...], for r and y of one shape [..., n]."""
    if kind == "squared_error":
        return np.asarray(0.5 * np.square(y - r).sum(axis=-1))
    shifted = r - r.max(axis=-1, keepdims=True)
    logarithm = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray(-(y * logarithm).sum(axis=-1))
