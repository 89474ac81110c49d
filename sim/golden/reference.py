# SPDX-License-Identifier: Apache-2.0
"""The step of a network in float64: what the fixed-point machine approximates.

Per neuron, with a_m = dt/tau_m, a_r = dt/tau_r, rho = tau_r/tau_m, kappa = 1/rho:

    forward   s = W r_below + b       d = s + gamma e - u     p = u + rho d     u <- u + a_m d
              r = phi(p)              r' = phi'(p)
    error     eps = r' q              d = eps - v             e = v + kappa d   v <- v + a_r d
              q = W_above^T e_above; at the output q = -beta dC/dr
    learn     dW = e r_below^T        db = e                  dtau_m = -e u'    (u' of the membrane)

p and e use the u and v from before the step. A population with instantaneous errors has
e = v = eps. `sequential`: forward from the first population to the last with gamma e of the step
before, then errors from the last to the first. `parallel`: every population from what all
populations held after the step before, and `out` is the output rate of the step before.
The equations are those of Generalized Latent Equilibrium (arXiv 2403.16933).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.golden.activations import ACTIVATIONS, Array
from antevolt.sim.golden.cost import output_error
from antevolt.sim.golden.gradient import Gradient
from antevolt.sim.golden.sequences import FlagLike, Sequences, sequences

__all__ = ["FloatNetwork", "Run"]


@dataclass
class Run:
    """What a run put out: `out` [T, S, outputs], and with `record=True` per population 1..L

    u, v, r, e   [T, S, n] after each step (e is the prospective error)
    slope        r' = phi'(p)
    u_dot        u' = d / tau_m of the step
    """

    out: Array
    u: list[Array] = field(default_factory=list)
    v: list[Array] = field(default_factory=list)
    r: list[Array] = field(default_factory=list)
    e: list[Array] = field(default_factory=list)
    slope: list[Array] = field(default_factory=list)
    u_dot: list[Array] = field(default_factory=list)


STATE = ("u", "v", "r", "e", "slope", "u_dot", "q")


class FloatNetwork:
    """A network with its state, its gradient and its parameters, all float64.

    network            the description; its `eta`, `apply_every`, `schedule` .. are obeyed
    parameters         start values, copied
    streams            S, independent streams that share the parameters
    mean_over_streams  gradients are means over the S streams instead of sums
    eta_tau            learning rate of tau_m; 0: time constants stay as they are
    tau_min            learned time constants are raised to this after each change; default dt
    learn_from         steps before this one (counted since construction) do not learn
    tau_m, tau_r       per population [neuron], in place of the network's. They may be below dt,
                       where a network description refuses them
    masks              {projection: [target, source]}: factors of the weights' changes, 0 keeps a
                       weight as it is

    An APPLY comes after every `apply_every` learning steps: steps in which at least one stream is
    valid and learns. Changes come after the last use of a parameter in a step.

    Attributes: `weights`, `biases` (None where there is none), `tau_m`, `tau_r`, `gradient` (since
    the last APPLY) and `steps`, the number of steps done.
    Raises BadInput for values of a wrong shape or that are not finite, BadNetwork for parameters
    that are not the network's.
    """

    def __init__(
        self,
        network: Network,
        parameters: Parameters,
        *,
        streams: int = 1,
        mean_over_streams: bool = False,
        eta_tau: float = 0.0,
        tau_min: float | None = None,
        learn_from: int = 0,
        tau_m: Sequence[ArrayLike] | None = None,
        tau_r: Sequence[ArrayLike] | None = None,
        masks: Mapping[int, ArrayLike] | None = None,
    ):
        depth = len(network.populations)
        chain = [(k, k + 1) for k in range(depth)]
        if [(p.source, p.target) for p in network.projections] != chain:
            raise BadInput("skip and recurrent projections are not in the float model yet")
        if streams < 1:
            raise BadInput(f"streams is {streams}; a network needs 1 or more")
        if not np.isfinite(eta_tau):
            raise BadInput(f"eta_tau is {eta_tau}; it must be finite")
        self.network = network
        self.streams = streams
        self.eta_tau = eta_tau
        self.tau_min = network.dt if tau_min is None else tau_min
        if not self.tau_min > 0:
            raise BadInput(f"tau_min is {tau_min}; a time constant is positive")
        self.learn_from = learn_from
        self.steps = 0
        checked = network.check_parameters(parameters)
        indices = range(len(network.projections))
        self.weights: list[Array] = [checked[f"{k}.weight"] for k in indices]
        self.biases: list[Array | None] = [checked.get(f"{k}.bias") for k in indices]
        self.tau_m = self._taus("tau_m", tau_m)
        self.tau_r = self._taus("tau_r", tau_r)
        self.masks = self._masks(masks or {})
        self.gradient = Gradient.zeros(network)
        self._phi = [ACTIVATIONS[p.phi] for p in network.populations]
        self._share = 1.0 / streams if mean_over_streams else 1.0
        self._learned = 0
        self._coefficients()
        self.reset()

    def _taus(self, name: str, given: Sequence[ArrayLike] | None) -> list[Array]:
        populations = self.network.populations
        values = [getattr(p, name) for p in populations] if given is None else given
        if len(values) != len(populations):
            raise BadInput(f"{name} is for {len(values)} populations; there are {len(populations)}")
        taus = [np.array(value, dtype=np.float64) for value in values]
        for k, (tau, population) in enumerate(zip(taus, populations, strict=True), 1):
            if tau.shape != (population.size,):
                raise BadInput(
                    f"{name} of population {k} has shape {tau.shape}, not one per neuron"
                )
            if not (np.isfinite(tau) & (tau > 0)).all():
                raise BadInput(f"{name} of population {k} is not finite and positive")
        return taus

    def _masks(self, masks: Mapping[int, ArrayLike]) -> dict[int, Array]:
        checked = {}
        for k, mask in masks.items():
            if k not in range(len(self.weights)):
                raise BadInput(f"there is no projection {k} to mask")
            checked[k] = np.array(mask, dtype=np.float64)
            if checked[k].shape != self.weights[k].shape:
                raise BadInput(
                    f"the mask of projection {k} has shape {checked[k].shape}; "
                    f"its weights have {self.weights[k].shape}"
                )
        return checked

    def _coefficients(self) -> None:
        dt = self.network.dt
        self._a_m = [dt / tau for tau in self.tau_m]
        self._a_r = [dt / tau for tau in self.tau_r]
        self._rho = [r / m for m, r in zip(self.tau_m, self.tau_r, strict=True)]
        self._kappa = [m / r for m, r in zip(self.tau_m, self.tau_r, strict=True)]

    def reset(self) -> None:
        """Set the state of all streams to zero; parameters and gradient stay."""
        zeros = [np.zeros((self.streams, n)) for n in self.network.sizes[1:]]
        self._u, self._v, self._r, self._e, self._slope, self._u_dot, self._q = (
            list(zeros) for _ in STATE
        )

    @property
    def parameters(self) -> Parameters:
        """Copies of weights and biases, named as in `Network.check_parameters`."""
        named = {f"{k}.weight": weight.copy() for k, weight in enumerate(self.weights)}
        for k, bias in enumerate(self.biases):
            if bias is not None:
                named[f"{k}.bias"] = bias.copy()
        return named

    def apply(self) -> None:
        """Change the parameters by eta times the gradient (plain SGD), then clear it."""
        for k, projection in enumerate(self.network.projections):
            if not projection.learn:
                continue
            eta = self.network.eta if projection.eta is None else projection.eta
            change = eta * self.gradient.weights[k]
            self.weights[k] = self.weights[k] + self.masks.get(k, 1.0) * change
            bias, bias_gradient = self.biases[k], self.gradient.biases[k]
            if bias is not None and bias_gradient is not None:
                self.biases[k] = bias + eta * bias_gradient
        if self.eta_tau:
            for k, gradient in enumerate(self.gradient.tau_m):
                changed = self.tau_m[k] + self.eta_tau * gradient
                self.tau_m[k] = np.maximum(changed, self.tau_min)
            self._coefficients()
        self.gradient.clear()
        self._learned = 0

    def run(
        self,
        x: ArrayLike,
        y: ArrayLike | None = None,
        *,
        valid: FlagLike = None,
        first: FlagLike = None,
        target_valid: FlagLike = None,
        learn: FlagLike = None,
        record: bool = False,
    ) -> Run:
        """Go through x and y, from the present state on, and learn.

        Arrays and flags as in `sequences`: [T, S, n] and [T, S]. A stream that is not valid keeps
        its state and adds nothing; `first` clears its state before the step (where it is valid);
        without a valid target the output error is zero and errors decay.
        The axis S is left out of the results where it was left out of x. Raises BadInput.
        """
        data = sequences(
            self.network,
            self.streams,
            x,
            y,
            valid=valid,
            first=first,
            target_valid=target_valid,
            learn=learn,
        )
        shape = data.x.shape[:2]
        result = Run(np.zeros((*shape, self.network.outputs)))
        if record:
            for name in ("u", "v", "r", "e", "slope", "u_dot"):
                kept = [np.zeros((*shape, n)) for n in self.network.sizes[1:]]
                setattr(result, name, kept)
        for n in range(shape[0]):
            result.out[n] = self._step(data, n)
            if record:
                for name in ("u", "v", "r", "e", "slope", "u_dot"):
                    for kept, now in zip(getattr(result, name), self._state(name), strict=True):
                        kept[n] = now
        if data.dropped:
            for name in ("u", "v", "r", "e", "slope", "u_dot"):
                setattr(result, name, [kept[:, 0] for kept in getattr(result, name)])
            result.out = result.out[:, 0]
        return result

    def predict(self, x: ArrayLike, *, valid: FlagLike = None, first: FlagLike = None) -> Array:
        """`out` for x without targets and learning; the state is put back afterwards."""
        before, steps = {name: list(self._state(name)) for name in STATE}, self.steps
        out = self.run(x, valid=valid, first=first, learn=False).out
        for name, kept in before.items():
            self._state(name)[:] = kept
        self.steps = steps
        return out

    def _state(self, name: str) -> list[Array]:
        state: list[Array] = getattr(self, f"_{name}")
        return state

    def _step(self, data: Sequences, n: int) -> Array:
        valid, first = data.valid[n], data.first[n] & data.valid[n]
        if first.any():
            for name in STATE:
                values = self._state(name)
                values[:] = [np.where(first[:, None], 0.0, value) for value in values]
        frozen = not valid.all()
        before = {name: list(self._state(name)) for name in STATE} if frozen else {}
        learn = data.learn[n] & valid if self.steps >= self.learn_from else np.zeros_like(valid)
        # Column of factors: what each stream adds to the gradient.
        weight = learn[:, None] * self._share if learn.any() else None
        step = self._sequential if self.network.schedule == "sequential" else self._parallel
        out = step(data.x[n], data.y[n], data.target_valid[n][:, None], weight)
        for name, kept in before.items():
            values = self._state(name)
            values[:] = [
                np.where(valid[:, None], new, old) for new, old in zip(values, kept, strict=True)
            ]
        self.steps += 1
        if weight is not None:
            self._learned += 1
            if self._learned >= self.network.apply_every:
                self.apply()
        return out

    def _sequential(self, x: Array, y: Array, target: Array, weight: Array | None) -> Array:
        depth = len(self.weights)
        below = x
        for k in range(depth):
            self._membrane(k, below, self._e[k])
            below = self._r[k]
        q = self._output_error(below, y, target)
        for k in reversed(range(depth)):
            self._error(k, self._slope[k] * q)
            if weight is not None:
                self._learn(k, weight, x if k == 0 else self._r[k - 1])
            if k:
                q = self._e[k] @ self.weights[k]
        return below

    def _parallel(self, x: Array, y: Array, target: Array, weight: Array | None) -> Array:
        depth = len(self.weights)
        out = self._r[-1]
        inputs = [x, *self._r[:-1]]
        q = [*self._q[:-1], self._output_error(out, y, target)]
        for k in range(depth):
            self._error(k, self._slope[k] * q[k])
            self._membrane(k, inputs[k], self._e[k])
            if weight is not None:
                self._learn(k, weight, inputs[k])
            if k:
                self._q[k - 1] = self._e[k] @ self.weights[k]
        return out

    def _output_error(self, r: Array, y: Array, target: Array) -> Array:
        error = output_error(self.network.cost, r, y)
        return np.where(target, self.network.beta * error, 0.0)

    def _membrane(self, k: int, below: Array, e: Array) -> None:
        u, bias, gamma = self._u[k], self.biases[k], self.network.populations[k].gamma
        d = below @ self.weights[k].T - u
        if bias is not None:
            d = d + bias
        if gamma:
            d = d + gamma * e
        self._r[k], self._slope[k] = self._phi[k](u + self._rho[k] * d)
        self._u[k] = u + self._a_m[k] * d
        self._u_dot[k] = d / self.tau_m[k]

    def _error(self, k: int, eps: Array) -> None:
        if not self.network.populations[k].prospective_errors:
            self._v[k] = self._e[k] = eps
            return
        v = self._v[k]
        d = eps - v
        self._e[k] = v + self._kappa[k] * d
        self._v[k] = v + self._a_r[k] * d

    def _learn(self, k: int, weight: Array, below: Array) -> None:
        e = weight * self._e[k]
        self.gradient.weights[k] += e.T @ below
        bias = self.gradient.biases[k]
        if bias is not None:
            bias += e.sum(axis=0)
        self.gradient.tau_m[k] -= (e * self._u_dot[k]).sum(axis=0)
