# SPDX-License-Identifier: Apache-2.0
"""The array's three products w r, w e and e r, summed as the rows and columns of the core sum them.

Where each product drops low bits before it is added, the sum is taken in two parts: with sl(p) the
low b bits of p read as a signed number, p - sl(p) = half_up(p, b) 2^b, and so

    sum half_up(p, b) = (sum p - sum sl(p)) / 2^b

The first sum is a matrix product. sl needs the low bits of the operands only: with one operand
shifted up by 16 - b, the wrapping 16-bit product is sl(p) 2^(16-b).
Twin of `hdl/core/array.py`, `element.py` and `accumulator.py`.
"""

import numpy as np
from numpy.typing import NDArray

from antevolt.sim.golden.arithmetic import Whole

__all__ = ["back", "forward", "gradient", "low_bits", "rounded_sum"]

LOW = 16  # bits of the products' low part


def forward(weights: Whole, rates: Whole) -> Whole:
    """acc [S, targets]: exact sums over columns; weights [targets, columns], rates [S, columns]."""
    return rates @ weights.T


def back(weights: Whole, e: Whole, drop: int) -> Whole:
    """q [S, columns] before it is read: sums over targets of half_up(w e, drop); e [S, targets]."""
    return rounded_sum(e.T, weights, drop)


def gradient(e: Whole, rates: Whole, drop: int) -> Whole:
    """G's contribution [targets, columns]: sums over streams of half_up(e r, drop)."""
    return rounded_sum(e, rates, drop)


def rounded_sum(a: Whole, b: Whole, drop: int) -> Whole:
    """sum_m half_up(a[m, i] b[m, j], drop) as [i, j]; up to 2^15 terms, words of up to 18 bits."""
    total = a.T @ b
    total -= _low_sum(low_bits(a, 0), low_bits(b, LOW - drop), LOW - drop)
    total *= 2.0**-drop
    return total


def low_bits(value: Whole, shift: int) -> NDArray[np.int16]:
    """The low bits of `value << shift`, contiguous."""
    whole = value.astype(np.int32, order="C")
    if shift:
        whole <<= shift
    return whole.astype(np.int16)


def _low_sum(a: NDArray[np.int16], b: NDArray[np.int16], shift: int) -> NDArray[np.int32]:
    """Sums of sl over m; the products fit 16 bits with their wrap, 2^15 of them fit 32."""
    products = np.multiply(a[:, :, None], b[:, None, :])
    total: NDArray[np.int32] = np.add.reduce(products, axis=0, dtype=np.int32)
    return total >> shift
