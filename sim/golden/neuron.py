# SPDX-License-Identifier: Apache-2.0
"""The two filters of a neuron in float64, and the traces that its membrane makes of single rates.

With a_m = dt/tau_m, rho = tau_r/tau_m and, unless the network sets them apart, a_r = dt/tau_r,
kappa = 1/rho:

    membrane  d = s - u         p = u + rho d            u <- u + a_m d
    error     delta = eps - v   e = g (v + kappa delta)  v <- v + a_r delta
    trace     d = r - h_u       h = h_u + rho d          h_u <- h_u + a_m d

p, e and h use u, v and h_u from before the step. A trace is what the membrane would make of one
rate alone: p of a neuron is the sum of its weights times its traces, as long as weights rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.network import Population
from antevolt.sim.golden.activations import Array

__all__ = ["Coefficients", "Traces", "error", "membrane"]


@dataclass(frozen=True)
class Coefficients:
    """Of one population, [n] each."""

    a_m: Array
    a_r: Array
    rho: Array
    kappa: Array

    @classmethod
    def of(cls, tau_m: Array, tau_r: Array, dt: float, population: Population) -> "Coefficients":
        """From time constants [n], and the population's kappa and tau_v where it has them."""
        kappa, tau_v = population.kappa, population.tau_v
        return cls(
            dt / tau_m,
            dt / (tau_r if tau_v is None else np.asarray(tau_v)),
            tau_r / tau_m,
            tau_m / tau_r if kappa is None else np.asarray(kappa),
        )


def membrane(s: Array, u: Array, rho: Array, a_m: Array) -> tuple[Array, Array, Array]:
    """p, the next u and d, from the drive s (with gamma e in it) and u."""
    d = s - u
    return u + rho * d, u + a_m * d, d


def error(eps: Array, v: Array, c: Coefficients, population: Population) -> tuple[Array, Array]:
    """e and the next v, [S, n], from eps and v by the population's rule."""
    if population.prospective_errors:
        delta = eps - v
        e, v = v + c.kappa * delta, v + c.a_r * delta
    else:
        e = v = eps
    return (e if population.g == 1.0 else population.g * e), v


class Traces:
    """The traces of a population's neurons, one copy for neurons with equal (tau_m, tau_r).

    apart    every neuron has its own copy, as time constants are going to move
    leaders  a neuron of each copy;  copy_of  the copy of each neuron

    The state h_u of one projection is [S, copies, source].
    """

    def __init__(self, tau_m: Array, tau_r: Array, *, apart: bool) -> None:
        neurons = range(len(tau_m))
        pairs = zip(tau_m.tolist(), tau_r.tolist(), strict=True)
        copies: dict[object, list[int]] = {}
        for i, pair in zip(neurons, pairs, strict=True):
            copies.setdefault(i if apart else pair, []).append(i)
        self._members = tuple(_places(members) for members in copies.values())
        self.leaders = [members[0] for members in copies.values()]
        self.copy_of = np.zeros(len(tau_m), dtype=np.int64)
        for copy, members in enumerate(copies.values()):
            self.copy_of[members] = copy

    @property
    def copies(self) -> int:
        return len(self._members)

    def filter(self, r: Array, h_u: Array, c: Coefficients) -> tuple[Array, Array]:
        """h and the next h_u, [S, copies, source], from the rates r [S, source]."""
        rho, a_m = c.rho[self.leaders, None], c.a_m[self.leaders, None]
        h, after, _ = membrane(r[:, None, :], h_u, rho, a_m)
        return h, after

    def product(self, e: Array, h: Array) -> NDArray[np.float64]:
        """Sum over streams of e_i h_ij, [target, source], from e [S, target] and h."""
        total = np.empty((e.shape[1], h.shape[2]))
        for copy, members in enumerate(self._members):
            total[members] = e[:, members].T @ h[:, copy]
        return total


def _places(members: list[int]) -> list[int] | slice:
    """The same as a slice, which copies nothing, where neurons stand together."""
    first, last = members[0], members[-1]
    return slice(first, last + 1) if last - first + 1 == len(members) else members
