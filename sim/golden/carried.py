# SPDX-License-Identifier: Apache-2.0
"""Gradient sums that an APPLY carries on: the moment in the gradient's own word.

    W += eta G  or  eta 2^SCALE sign(G)      G <- G - half_up(G / 2^k)

so that G is the sum over the batches of (1 - 2^-k)^n g. Twin of `_fold` in `hdl/core/apply.py`.
"""

import numpy as np

from antevolt.hdl.spec.moments import SCALE, Rule
from antevolt.sim.golden.arithmetic import Whole

__all__ = ["carried", "steps"]


def steps(sums: Whole, rule: Rule) -> Whole:
    """What moves the weights: the sums, or 2^SCALE with their sign, 0 at 0."""
    return np.sign(sums) * (1 << SCALE) if rule == Rule.SIGN_SUM else sums


def carried(sums: Whole, k: int) -> Whole:
    """What the next batch adds to."""
    left: Whole = sums - np.floor(np.ldexp(sums, -k) + 0.5)
    return left
