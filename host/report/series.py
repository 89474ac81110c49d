# SPDX-License-Identifier: Apache-2.0
"""Long series made short enough to draw, with nothing that stands out lost."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["MOST", "Bands", "Lines", "of_log", "short", "tapped"]

MOST = 600
"""Points of a line that is drawn."""
FEW = 6
"""Elements of a state that get a line each."""
QUANTILES = (0.0, 0.1, 0.5, 0.9, 1.0)

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Lines:
    """Lines [points, n] over x [points], with a name each."""

    x: Numbers
    y: Numbers
    names: tuple[str, ...]


@dataclass(frozen=True)
class Bands:
    """Least, 10 %, median, 90 % and largest [points, 5] of `count` elements, over x [points]."""

    x: Numbers
    y: Numbers
    count: int


def short(x: Numbers, y: Numbers) -> tuple[Numbers, Numbers]:
    """x [n] and y [n, k]; of a long series the least and the largest of each stretch."""
    count = len(x)
    if count <= MOST:
        return x, y
    stretches = np.array_split(np.arange(count), MOST // 2)
    ends = np.repeat([x[part[0]] for part in stretches], 2)
    low_high = [f(y[part], axis=0) for part in stretches for f in (np.min, np.max)]
    return ends, np.array(low_high)


def of_log(log: list[dict[str, Any]], *path: str) -> Lines | None:
    """A number, or a list or mapping of numbers, of every line; None where any line lacks it.

    path  the names that lead to it
    """
    values: list[Any] = log
    for name in path:
        values = [line.get(name) if isinstance(line, dict) else None for line in values]
    if not values or any(value is None for value in values):
        return None
    first = values[0]
    if isinstance(first, dict):
        names = tuple(first)
        rows = [[value.get(name, 0) for name in names] for value in values]
    elif isinstance(first, list):
        names, rows = tuple(str(k) for k in range(1, len(first) + 1)), values
    else:
        names, rows = (path[-1],), [[value] for value in values]
    steps = np.array([line["step"] for line in log], dtype=np.float64)
    x, y = short(steps, np.array(rows, dtype=np.float64).reshape(len(rows), -1))
    return Lines(x, y, names)


def tapped(steps: NDArray[np.int64], values: Numbers) -> Lines | Bands:
    """Readings [n, *shape]: a line for each element where they are few, else bands."""
    shape, flat = values.shape[1:], values.reshape(len(values), -1)
    x = steps.astype(np.float64)
    if flat.shape[1] > FEW:
        x, y = short(x, np.quantile(flat, QUANTILES, axis=1).T)
        return Bands(x, y, flat.shape[1])
    names = [", ".join(map(str, place)) for place in np.ndindex(*shape)]
    x, y = short(x, flat)
    return Lines(x, y, tuple(names))
