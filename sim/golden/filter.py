# SPDX-License-Identifier: Apache-2.0
"""The two modes of the filter unit: membrane and error; source `docs/step.md`.

    MEMBRANE  d = s + gamma e - u     p = u + rho d      u <- u + a_m d    r = phi(p), r' = phi'(p)
    ERROR     delta = r' scale q - v  e = v + kappa d    v <- v + a_r d    (d: delta)

All arrays [S, n], whole numbers in the formats of `hdl.spec.formats`, coefficients as the factors
of `arithmetic.factors`. `u` and `v` carry guard bits. Twin of `hdl/core/filter.py`, `product.py`
and `column.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.formats import Formats
from antevolt.sim.golden.arithmetic import Limits, Whole, half_up, narrow, product

__all__ = ["Count", "Tables", "error", "membrane", "squared_error"]

Count = Callable[[str, NDArray[np.bool_] | None], None]
"""Told the kind of saturation (`memory_map.KINDS`) and which elements [S, n] it met; None: none."""


@dataclass(frozen=True)
class Tables:
    """phi and phi' for every p, as of `arithmetic.lookup`."""

    phi: NDArray[np.float32]
    slope: NDArray[np.float32]


def _saturate(value: Whole, bits: int, kind: str, count: Count) -> Whole:
    limits = Limits(bits)
    if not limits.holds(value):
        count(kind, limits.outside(value))
        limits.clip(value)
    return value


def _word(wide: Whole, f: Formats, kind: str, count: Count) -> Whole:
    words, limited = narrow(wide, f)
    if limited is not None:
        count(kind, limited)
    return words


def membrane(
    acc: Whole,
    e: Whole,
    u: Whole,
    coefficients: tuple[Whole, Whole, Whole],
    tables: Tables | None,
    f: Formats,
    count: Count,
) -> tuple[Whole, Whole | NDArray[np.float32], Whole | NDArray[np.float32]]:
    """u', r, r' from the drive and the state; coefficients gamma, a_m, rho; tables None: linear.

    `acc` is used up.
    """
    gamma, a_m, rho = coefficients
    wide = f.word + f.guard
    s = _saturate(half_up(acc, f.drive.frac - f.u.frac), wide, "drive", count)
    s -= u
    d = _word(product(e, gamma, s), f, "d", count)
    p = _word(product(d, rho, u), f, "p", count)
    u_next = _saturate(product(d, a_m, u), wide, "u", count)
    if tables is None:
        return u_next, p, np.full_like(p, 1 << f.r.frac)
    p += 1 << (f.word - 1)
    place = p.astype(np.intp)
    return u_next, tables.phi[place], tables.slope[place]


def squared_error(y: Whole, r: Whole, target_valid: NDArray[np.bool_], f: Formats) -> Whole:
    """q [S, n] of the output population, in format e: y - r, or 0 for streams without a target."""
    q = half_up(y - r, f.r.frac - f.e.frac)
    q[~target_valid] = 0
    return q


def error(
    q: Whole,
    slope: Whole,
    v: Whole,
    coefficients: tuple[Whole, Whole, Whole],
    f: Formats,
    count: Count,
) -> tuple[Whole, Whole]:
    """v' and e from q, r' and the state; coefficients scale (beta at the output), a_r, kappa."""
    scale, a_r, kappa = coefficients
    scaled = _word(product(q, scale, np.zeros(1)), f, "beta", count)
    scaled *= 2.0 ** -(f.r.frac - f.guard)  # r' has no exponent of its own
    delta = _word(product(slope, scaled, -v), f, "delta", count)
    e = _word(product(delta, kappa, v), f, "e", count)
    return _saturate(product(delta, a_r, v), f.word + f.guard, "v", count), e
