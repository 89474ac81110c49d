# SPDX-License-Identifier: Apache-2.0
"""What learns in a float model: parameters and time constants, their gradient and its APPLY."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.golden.activations import Array
from antevolt.sim.golden.gradient import Gradient
from antevolt.sim.golden.neuron import Coefficients, Traces
from antevolt.sim.golden.optimizer import Optimizer
from antevolt.sim.golden.options import masks as checked_masks
from antevolt.sim.golden.options import time_constants

__all__ = ["Plastic"]


class Plastic:
    """The part of a `FloatNetwork` that stays when its state is reset.

    Lists are per population 1..L (at index 0..L-1) or per projection; `eta`, a learning rate per
    projection, may be changed between two runs.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        *,
        eta_tau: float,
        eta_tau_r: float,
        tau_min: float | None,
        tau_m: Sequence[ArrayLike] | None,
        tau_r: Sequence[ArrayLike] | None,
        masks: Mapping[int, ArrayLike] | None,
    ):
        for name, rate in (("eta_tau", eta_tau), ("eta_tau_r", eta_tau_r)):
            if not np.isfinite(rate):
                raise BadInput(f"{name} is {rate}; it must be finite")
        self.network = network
        populations = network.populations
        self.eta_tau = [eta_tau or p.eta_tau_m for p in populations]
        self.eta_tau_r = [eta_tau_r or p.eta_tau_r for p in populations]
        self.eta = [network.eta if p.eta is None else p.eta for p in network.projections]
        self.tau_min = network.dt if tau_min is None else tau_min
        if not self.tau_min > 0:
            raise BadInput(f"tau_min is {tau_min}; a time constant is positive")
        checked = network.check_parameters(parameters)
        indices = range(len(network.projections))
        self.weights: list[Array] = [checked[f"{k}.weight"] for k in indices]
        self.biases: list[Array | None] = [checked.get(f"{k}.bias") for k in indices]
        self.backward: list[Array | None] = [checked.get(f"{k}.backward") for k in indices]
        self.tau_m = time_constants(network, "tau_m", tau_m)
        self.tau_r = time_constants(network, "tau_r", tau_r)
        self.masks = checked_masks(self.weights, masks or {})
        self.gradient = Gradient.zeros(network)
        self.optimizer = Optimizer(network)
        self.learned = 0
        numbers = range(1, len(network.populations) + 1)
        self._incoming = [network.incoming(l) for l in numbers]
        self._outgoing = [network.outgoing(l) for l in numbers]
        apart = bool(eta_tau or eta_tau_r)
        self._traces = [
            Traces(m, r, apart=apart) if population.rule == "trace" else None
            for m, r, population in zip(self.tau_m, self.tau_r, network.populations, strict=True)
        ]
        self.take_time_constants()

    def take_time_constants(self) -> None:
        """Make the filters' coefficients of tau_m and tau_r as they are now."""
        network = self.network
        self._coefficients = [
            Coefficients.of(m, r, network.dt, population)
            for m, r, population in zip(self.tau_m, self.tau_r, network.populations, strict=True)
        ]

    @property
    def parameters(self) -> Parameters:
        """Copies of all parameters, named as in `Network.check_parameters`."""
        named: Parameters = {}
        for k, weight in enumerate(self.weights):
            named[f"{k}.weight"] = weight.copy()
            for name, value in (("bias", self.biases[k]), ("backward", self.backward[k])):
                if value is not None:
                    named[f"{k}.{name}"] = value.copy()
        return named

    def _down(self, k: int) -> Array:
        """B of projection k."""
        backward = self.backward[k]
        return self.weights[k] if backward is None else backward

    def _add(self, l: int, e: Array, eps: Array, u_dot: Array, factors: list[Array]) -> None:
        """Add the products of population l + 1 to the gradient.

        e, eps, u_dot  [S, n], the errors times what each stream counts
        factors        per projection: the rates it carries [S, source], or traces
        """
        traces = self._traces[l]
        for k in self._incoming[l]:
            product = traces.product(e, factors[k]) if traces else e.T @ factors[k]
            self.gradient.weights[k] += product
            bias = self.gradient.biases[k]
            if bias is not None:
                bias += e.sum(axis=0)
        self.gradient.tau_m[l] -= (e * u_dot).sum(axis=0)
        self.gradient.tau_r[l] += (eps * u_dot).sum(axis=0)

    def apply(self) -> None:
        """Change the parameters by what the optimizer makes of the gradient, then clear it."""
        for k, projection in enumerate(self.network.projections):
            if not projection.learn:
                continue
            eta = self.eta[k]
            gradient, factor = self.gradient.weights[k], eta * self.masks.get(k, 1.0)
            step = self.optimizer.direction(f"{k}.weight", gradient)
            self.weights[k] = self.weights[k] + factor * step
            backward = self.backward[k]
            if backward is not None and projection.backward == "learned":
                step = self.optimizer.direction(f"{k}.backward", gradient)
                self.backward[k] = backward + factor * step
            bias, bias_gradient = self.biases[k], self.gradient.biases[k]
            if bias is not None and bias_gradient is not None:
                step = self.optimizer.direction(f"{k}.bias", bias_gradient)
                self.biases[k] = bias + eta * step
        if any(self.eta_tau) or any(self.eta_tau_r):
            self._move(self.tau_m, self.eta_tau, self.gradient.tau_m)
            self._move(self.tau_r, self.eta_tau_r, self.gradient.tau_r)
            self.take_time_constants()
        self.gradient.clear()
        self.learned = 0

    def _move(self, taus: list[Array], etas: list[float], gradients: list[Array]) -> None:
        """Plain gradient ascent of time constants, down to tau_min."""
        for l, (eta, gradient) in enumerate(zip(etas, gradients, strict=True)):
            if eta:
                taus[l] = np.maximum(taus[l] + eta * gradient, self.tau_min)
