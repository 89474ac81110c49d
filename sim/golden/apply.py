# SPDX-License-Identifier: Apache-2.0
"""The change of the weights: w <- w + eta G, rounded half up or by random bits.

    y = floor(G m 2^16 / 2^k)     w' = sat(w + floor((y + random) / 2^16))     eta = m 2^-k

G: the gradient, or what a rule with moments puts in its place, with a k of its own (`direction`).

random: one half, or 16 bits of `hdl.spec.dither`. Twin of `hdl/core/apply.py`.
"""

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.dither import BITS
from antevolt.hdl.spec.formats import Formats
from antevolt.sim.golden.arithmetic import Limits, Whole

__all__ = ["apply"]


def apply(
    weights: Whole,
    gradients: Whole,
    eta: tuple[int, int | NDArray[np.int64]],
    random: NDArray[np.int64] | None,
    f: Formats,
) -> tuple[Whole, int]:
    """New weights and how many were saturated; eta: (m, k), one k or one each.

    random None: half up. A change too large for float64's whole numbers is one that saturates
    anyway.
    """
    m, k = eta
    change = gradients * np.ldexp(float(m), BITS - np.asarray(k))
    if np.max(k) > BITS:
        np.floor(change, out=change)
    change += 1 << (BITS - 1) if random is None else random
    change *= 2.0**-BITS
    np.floor(change, out=change)
    change += weights
    limits, saturated = Limits(f.word), 0
    if not limits.holds(change):
        saturated = int(np.count_nonzero(limits.outside(change)))
        limits.clip(change)
    return change, saturated
