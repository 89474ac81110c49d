# SPDX-License-Identifier: Apache-2.0
"""Tables of phi and phi' for the core: piecewise linear over the whole range of p."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadNetwork
from antevolt.hdl.spec.formats import Formats, Raw

__all__ = ["CORNERS", "FUNCTIONS", "table"]

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _sigmoid(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-p)))


def _exponential(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp p below 0, and 1; less what it is where p ends, so that smaller ones become 0."""
    low = np.minimum(p, 0.0)
    return np.asarray(np.exp(low) + np.exp(LOWEST) * low / -LOWEST)


LOWEST = -8.0  # of p, at any word length

FUNCTIONS: dict[str, tuple[Function, Function]] = {
    "tanh": (np.tanh, lambda p: 1 - np.tanh(p) ** 2),
    "sigmoid": (_sigmoid, lambda p: _sigmoid(p) * (1 - _sigmoid(p))),
    "softplus": (lambda p: np.log1p(np.exp(p)), _sigmoid),
    "relu": (lambda p: np.maximum(p, 0.0), lambda p: np.where(p > 0, 1.0, 0.0)),
    "hard_tanh": (
        lambda p: np.clip(p, -1.0, 1.0),
        lambda p: np.where(np.abs(p) < 1, 1.0, 0.0),
    ),
    "exp": (_exponential, np.zeros_like),
}
"""phi and phi' of the functions that a core can look up; `linear` needs no table. `exp` is that of
the softmax, whose argument is never above 0."""

CORNERS = ("relu", "hard_tanh")
"""Functions that are straight within every interval."""
STEEPEST = 2 - 2.0**-5
"""Of a table's slopes, which are mantissas."""


def table(phi: str, formats: Formats, log2: int, r_max: float = 1.0) -> Raw:
    """Words [2, 2^log2] of a table: phi, then phi'; value in the low word, slope above it.

    r_max  scale: r_max phi(p / r_max), then phi'(p / r_max)

    The range of p is cut into 2^log2 intervals; value is phi at the lower end, slope the rise to
    the upper end, as a mantissa. Knots lie between chord and curve, at half the largest error of
    the chord, which halves it; a value is lowered where value + slope would leave the word.

    Worst error over every p, in LSB of r (word 18, 2^8 intervals; `docs/number-formats.md`
    has more): tanh 3.9, its derivative 8.5; softplus 7.6 in the last interval, where r ends, else
    2.0, its derivative 1.4. relu and hard_tanh are exact: their corners are ends of intervals.

    Raises BadNetwork where r_max makes phi' too steep for a slope, or a corner lies in an interval.
    """
    f = formats
    edges = np.linspace(f.r.real_min, -f.r.real_min, (1 << log2) + 1)
    words = np.empty((2, 1 << log2), dtype=np.int64)
    mask = (1 << f.word) - 1
    if phi in CORNERS:
        function, derivative = _scaled(phi, r_max)
        if phi != "relu" and r_max < edges[-1] and r_max not in edges:
            raise BadNetwork(
                f"{phi} with r_max {r_max:g} has its corner within an interval of a table of "
                f"2^{log2}; make r_max a multiple of {edges[1] - edges[0]:g}"
            )
        steepness = derivative((edges[:-1] + edges[1:]) / 2)
        words[0] = (f.r.to_raw(function(edges[:-1])) & mask) | (
            f.mantissa.to_raw(steepness) << f.word
        )
        words[1] = f.r.to_raw(steepness) & mask
        return words
    for which, function in enumerate(_scaled(phi, r_max)):
        knots = _balanced(function, edges)
        value = np.floor(knots * 2.0**f.r.frac + 0.5).astype(np.int64)
        value = np.clip(value, f.r.raw_min + 1, f.r.raw_max - 1)
        rise = np.diff(value / 2.0**f.r.frac) / np.diff(edges)
        steepest = float(np.abs(rise).max())
        if steepest > STEEPEST:
            raise BadNetwork(
                f"{phi} with r_max {r_max:g} bends too fast for a table, with a slope of "
                f"{steepest:.3g}; {STEEPEST:g} is the most: make r_max larger"
            )
        slope = np.floor(rise * 2.0**f.mantissa.frac + 0.5).astype(np.int64)
        slope = np.clip(slope, f.mantissa.raw_min, f.mantissa.raw_max)
        words[which] = (value[:-1] & mask) | (slope & mask) << f.word
    return words


def _scaled(phi: str, r_max: float) -> tuple[Function, Function]:
    """Of r = r_max phi(p / r_max): r, and its slope."""
    function, derivative = FUNCTIONS[phi]
    return lambda p: r_max * function(p / r_max), lambda p: derivative(p / r_max)


def _balanced(function: Function, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Knots moved by half the chord's error beside them."""
    knots = function(edges)
    middle = function((edges[1:] + edges[:-1]) / 2) - (knots[1:] + knots[:-1]) / 2
    beside = np.concatenate(([middle[0]], (middle[1:] + middle[:-1]) / 2, [middle[-1]]))
    return knots + beside / 2
