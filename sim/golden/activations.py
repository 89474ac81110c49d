# SPDX-License-Identifier: Apache-2.0
"""Activation functions phi and their slopes phi', in float64.

Where a function has a corner the slope is that of `relu` for x > 0 and of `hard_tanh` for |x| <= 1.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACTIVATIONS", "Activation", "Array", "scaled"]

Array = NDArray[np.float64]
Activation = Callable[[Array], tuple[Array, Array]]
"""p of any shape -> r = phi(p) and r' = phi'(p), both of that shape."""


def _linear(p: Array) -> tuple[Array, Array]:
    return p, np.ones_like(p)


def _tanh(p: Array) -> tuple[Array, Array]:
    r = np.tanh(p)
    return r, 1.0 - r * r


def _sigmoid(p: Array) -> tuple[Array, Array]:
    # 1 / (1 + exp(-p)) overflows for very negative p; the tanh form does not.
    r = 0.5 + 0.5 * np.tanh(0.5 * p)
    return r, r * (1.0 - r)


def _softplus(p: Array) -> tuple[Array, Array]:
    return np.logaddexp(0.0, p), 0.5 + 0.5 * np.tanh(0.5 * p)


def _relu(p: Array) -> tuple[Array, Array]:
    return np.maximum(p, 0.0), (p > 0.0).astype(np.float64)


def _hard_tanh(p: Array) -> tuple[Array, Array]:
    return np.clip(p, -1.0, 1.0), (np.abs(p) <= 1.0).astype(np.float64)


ACTIVATIONS: dict[str, Activation] = {
    "linear": _linear,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": _relu,
    "hard_tanh": _hard_tanh,
}
"""One entry for every name in `antevolt.hdl.spec.network.PHI`."""


def scaled(phi: str, r_max: float) -> Activation:
    """p -> r_max phi(p / r_max) and its slope phi'(p / r_max)."""

    def activation(p: Array) -> tuple[Array, Array]:
        r, slope = ACTIVATIONS[phi](p / r_max)
        return r_max * r, slope

    return activation if r_max != 1 else ACTIVATIONS[phi]
