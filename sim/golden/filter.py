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
from antevolt.hdl.spec.memory_map import SUM_BITS
from antevolt.hdl.spec.roundings import PRE
from antevolt.sim.golden.arithmetic import Limits, Whole, half_up, narrow, product

__all__ = [
    "Count",
    "Tables",
    "below_largest",
    "difference",
    "drive",
    "error",
    "membrane",
    "share",
    "share_shift",
]

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


def _scaled(q: Whole, scale: Whole, f: Formats, count: Count) -> Whole:
    """scale q as a word; q and the product are limited, and together counted once."""
    word, far = Limits(f.word), None
    if not word.holds(q):
        far = word.outside(q)
        q = np.clip(q, word.low, word.high)
    scaled, limited = narrow(product(q, scale, np.zeros(1)), f)
    if far is not None:
        limited = far if limited is None else far | limited
    if limited is not None:
        count("beta", limited)
    return scaled


def drive(acc: Whole, f: Formats, count: Count) -> Whole:
    """s, with guard bits, from the accumulator, which is used up."""
    return _saturate(half_up(acc, f.drive.frac - f.u.frac), f.word + f.guard, "drive", count)


def membrane(
    s: Whole,
    e: Whole,
    u: Whole,
    coefficients: tuple[Whole, Whole, Whole],
    tables: Tables | None,
    f: Formats,
    count: Count,
    kept: list[Whole] | None = None,
) -> tuple[Whole, Whole | NDArray[np.float32], Whole | NDArray[np.float32]]:
    """u', r, r' from the drive and the state; coefficients gamma, a_m, rho; tables None: linear.

    `s` is used up; `kept` gets d.
    """
    gamma, a_m, rho = coefficients
    wide = f.word + f.guard
    s -= u
    d = _word(product(e, gamma, s), f, "d", count)
    if kept is not None:
        kept.append(d.copy())
    p = _word(product(d, rho, u), f, "p", count)
    u_next = _saturate(product(d, a_m, u), wide, "u", count)
    if tables is None:
        return u_next, p, np.full_like(p, 1 << f.r.frac)
    p += 1 << (f.word - 1)
    place = p.astype(np.intp)
    return u_next, tables.phi[place], tables.slope[place]


def difference(y: Whole, r: Whole, target_valid: NDArray[np.bool_]) -> Whole:
    """y - r [S, n] of the output population, in LSB of r; 0 for streams without a target."""
    q = y - r
    q[~target_valid] = 0
    return q


def below_largest(z: Whole, largest: Whole, f: Formats) -> Whole:
    """s of EXP: z - largest [S, 1] as a word, with guard bits."""
    below = Limits(f.word).clip(z - largest)
    below *= 2.0**f.guard
    return below


def share_shift(f: Formats) -> int:
    """Shift of a product with a `share`: the result stands like its other factor."""
    return PRE + f.word - 2 - f.guard


def share(total: Whole, f: Formats) -> Whole:
    """1 / total as a coefficient's mantissa in (0, 2): for sums of exponentials, in format r.

    Twin of `hdl/core/softmax.py`, which divides bit by bit and so limits what is too large.
    """
    ones = np.where(total < 0, 2.0**SUM_BITS + total, total)
    with np.errstate(divide="ignore"):
        quotient = np.floor(2.0 ** (f.r.frac + f.word - 2) / ones)
    return np.minimum(quotient, Limits(f.word).high)


def error(
    q: Whole,
    slope: Whole,
    v: Whole,
    coefficients: tuple[Whole, Whole, Whole],
    f: Formats,
    count: Count,
    kept: list[Whole] | None = None,
) -> tuple[Whole, Whole]:
    """v' and e from q, r' and the state; coefficients scale (beta at the output), a_r, kappa.

    q is limited to a word, which only a `difference` may need; `scale` knows whether it counts
    LSBs of e or, at the output, of r. `kept` gets eps = v + delta, as a word.
    """
    scale, a_r, kappa = coefficients
    scaled = _scaled(q, scale, f, count)
    scaled *= 2.0 ** -(f.r.frac - f.guard)  # r' has no exponent of its own
    delta = _word(product(slope, scaled, -v), f, "delta", count)
    e = _word(product(delta, kappa, v), f, "e", count)
    if kept is not None:
        kept.append(narrow(product(delta, 2.0**f.guard, v), f)[0])
    return _saturate(product(delta, a_r, v), f.word + f.guard, "v", count), e
