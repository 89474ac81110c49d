# SPDX-License-Identifier: Apache-2.0
"""The random bits of stochastic rounding: a function of seed, step, projection, i and j.

`mix` is a short add-shift-xor permutation of 32-bit words; a weight's bits do not depend on when
or by which row it is visited.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BITS", "ROTATIONS", "dither", "key", "mix"]

BITS = 16  # the upper bits of the mixed word
ROTATIONS = (("add", 10), ("xor", 6), ("add", 3), ("xor", 11), ("add", 15))
"""Rounds of `mix`: x += x << n, or x ^= x >> n."""


def mix(x: ArrayLike) -> NDArray[np.uint32]:
    """Spread every bit of the 32-bit words `x` over the word."""
    given = np.asarray(x, dtype=np.uint32)
    word = given.reshape(-1)  # numpy warns of the overflows of scalars, which are meant
    for op, n in ROTATIONS:
        word = word + (word << np.uint32(n)) if op == "add" else word ^ (word >> np.uint32(n))
    return word.reshape(given.shape)


def key(seed: int, step: int, projection: int) -> int:
    """The 32-bit key of one APPLY."""
    return _mix_integer(_mix_integer((seed ^ step) & 0xFFFFFFFF) ^ projection)


def _mix_integer(word: int) -> int:
    """`mix` of one word."""
    for op, n in ROTATIONS:
        word = (word + (word << n)) & 0xFFFFFFFF if op == "add" else word ^ (word >> n)
    return word


def dither(apply_key: int, i: ArrayLike, j: ArrayLike) -> NDArray[np.int64]:
    """`BITS` random bits for target neuron `i` (< 2^15) and column `j` (< 2^16); broadcasts."""
    place = (np.asarray(i, dtype=np.uint32) << np.uint32(16)) ^ np.asarray(j, dtype=np.uint32)
    return (mix(place ^ np.uint32(apply_key)) >> np.uint32(32 - BITS)).astype(np.int64)
