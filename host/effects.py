# SPDX-License-Identifier: Apache-2.0
"""Which words an operation writes: to find the operation that a wrong word comes from."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.moments import CARRYING
from antevolt.hdl.spec.program import Bias, Kind, Operation

__all__ = ["Written", "written"]


@dataclass(frozen=True)
class Written:
    """Words `index` of a region, in every unit, or in each of so many from the first on; `what` in
    the symbols of `docs/step.md`."""

    region: Region
    index: NDArray[np.int64]
    what: str
    first: int = 0
    every: int = 1


def written(op: Operation, machine: Machine) -> Iterator[Written]:
    """What an operation writes in a step in which all streams are valid and it is due."""
    units = np.arange(op.n)
    neurons = op.neurons + units
    rates = op.rates + np.arange((op.odd + op.n + (op.bias == Bias.HIGH) + 1) // 2)
    if op.kind == Kind.INPUT:
        yield Written(Region.RATES, rates, "r")
        if op.output:
            yield Written(Region.OUTPUT, op.extra + units, "r")
    elif op.kind == Kind.OUTPUT:
        yield Written(Region.SUMS, op.extra + units, "sum")
    elif op.kind == Kind.TRACE:
        yield Written(Region.STATE, 2 * neurons, "u")
        yield Written(Region.PARTNER, 2 * neurons + 1, "r'")
        yield Written(Region.RATES, rates, "r")
    elif op.kind in (Kind.EXP, Kind.NORM):
        yield Written(Region.Q, neurons, "softmax")
    elif op.kind == Kind.MEMBRANE:
        yield Written(Region.STATE, 2 * neurons, "u")
        yield Written(Region.PARTNER, 2 * neurons + 1, "r'")
        yield Written(Region.RATES, rates, "r")
        if op.output:
            yield Written(Region.OUTPUT, op.extra + units, "r")
    elif op.kind == Kind.ERROR:
        yield Written(Region.STATE, 2 * neurons + 1, "v")
        yield Written(Region.PARTNER, 2 * neurons, "e")
        if op.g:
            at = 4 * (op.weights + units)
            yield Written(Region.TIMES, np.concatenate([at + 2, at + 3]), "sum")
    elif op.kind == Kind.TIMES:
        at = 4 * (op.weights + units)
        yield Written(Region.TIMES, np.concatenate([at, at + 1]), "tau")
        yield Written(Region.COEFFICIENTS, _coefficients(op), "coefficient")
    elif op.kind == Kind.BACK:
        if op.q and op.tail:
            yield Written(Region.Q, op.extra + units, "q")
        if op.g:
            yield Written(Region.GRADIENTS, _gradients(op), "gradient")
    elif op.kind == Kind.APPLY:
        rows = op.skip, machine.apply_rows
        yield Written(Region.WEIGHTS, op.weights + np.arange(op.groups * op.words), "w", *rows)
        if op.table:
            places = 2 * op.weights + np.arange(2 * op.groups * op.words)
            if op.table in CARRYING:
                yield Written(Region.GRADIENTS, places, "gradient", *rows)
            else:
                yield Written(Region.MOMENTS, places, "m")


def _coefficients(op: Operation) -> NDArray[np.int64]:
    """a_m and rho, a_r and kappa."""
    first = 8 * (op.weights + np.arange(op.n))
    return np.concatenate([first + n for n in (1, 2, 5, 6)])


def _gradients(op: Operation) -> NDArray[np.int64]:
    """BACK's `words` are columns; two columns make a pair, and every group has its own pairs."""
    pairs = (op.words + 1) // 2
    return 2 * op.weights + np.arange(2 * pairs * op.groups)
