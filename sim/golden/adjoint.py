# SPDX-License-Identifier: Apache-2.0
"""The exact gradient of the summed cost of a network, by the recursion backwards in time.

It is the yardstick for the local rules and needs the whole past, so it exists in software only.
For the float step of `antevolt.sim.golden.reference` (sequential schedule, gamma = 0) let
lambda_l[n] = -dC/ds_l[n], mu_l[n] = -dC/du_l[n] and nu[n] = -dC/dz[n], C the sum of beta C over
streams and steps. With rho = tau_r/tau_m, a = dt/tau_m and b = dt/tau_z (b = 1 without leak),

    q_l[n]      = sum W_k^T lambda_target[n]          ordinary projections k from population l
                + sum W_k^T lambda_target[n+1]        recurrent ones: they carry r_l[n] a step later
    nu[n]       = beta (y - softmax(z) | y - z) + (1 - b) nu[n+1]        q_L[n] = b nu[n]
    eps_l[n]    = phi'(p_l[n]) q_l[n]
    lambda_l[n] = rho eps_l[n] + a mu_l[n]
    mu_l[n-1]   = (1 - rho) eps_l[n] + (1 - a) mu_l[n]

with lambda, mu and nu zero after the last step, and

    -dC/dW_k   = sum lambda_target[n] r_source[n]^T   (r_source[n-1] where k is recurrent)
    -dC/db_k   = sum lambda_target     -dC/dtau_m = -sum lambda u'     -dC/dtau_r = sum eps u'

This is the membrane filter run against time, where the local rule uses its causal inverse: the same
phase at each frequency, the reciprocal gain. How populations learn, and through which matrices
errors come down, does not enter: the exact gradient is that of the forward pass.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.golden.activations import Array
from antevolt.sim.golden.cost import cost, output_error
from antevolt.sim.golden.gradient import Gradient
from antevolt.sim.golden.reference import FloatNetwork, Run
from antevolt.sim.golden.sequences import FlagLike, Flags, Sequences, sequences

__all__ = ["Alignment", "ExactGradient", "alignment", "exact_gradient"]


@dataclass(frozen=True)
class ExactGradient:
    """Result of `exact_gradient`.

    cost      beta C, summed over the streams and steps of the window that have a target
    gradient  minus the derivative of `cost`: the ascent direction, like that of a `FloatNetwork`
    errors    lambda per population 1..L, [T, S, n]; zero before the window
    """

    cost: float
    gradient: Gradient
    errors: list[Array]


@dataclass(frozen=True)
class Alignment:
    """Result of `alignment`: the online update against the exact gradient.

    projections   cosine per projection, weights and biases together
    tau_m, tau_r  cosine per population 1..L, of the time constants
    whole         cosine of all weights and biases as one vector
    norm_ratios   norm of the online update over that of the exact gradient, per projection

    A cosine is NaN where one of the two vectors is zero.
    """

    projections: tuple[float, ...]
    tau_m: tuple[float, ...]
    tau_r: tuple[float, ...]
    whole: float
    norm_ratios: tuple[float, ...]


def _check(network: Network) -> None:
    if network.schedule != "sequential":
        raise BadInput(
            f"the exact gradient is of the sequential schedule, this network's is "
            f"{network.schedule}; use network.with_(schedule='sequential')"
        )
    for k, population in enumerate(network.populations, 1):
        if population.gamma:
            raise BadInput(
                f"population {k} has gamma = {population.gamma}: errors then bend the forward "
                "pass and the cost is no function of inputs and parameters alone; set gamma = 0"
            )


def exact_gradient(
    network: Network,
    parameters: Parameters,
    x: ArrayLike,
    y: ArrayLike,
    *,
    valid: FlagLike = None,
    first: FlagLike = None,
    target_valid: FlagLike = None,
    learn_from: int = 0,
    tau_m: Sequence[ArrayLike] | None = None,
    tau_r: Sequence[ArrayLike] | None = None,
    through_leak: bool = True,
) -> ExactGradient:
    """Gradient of the summed cost with respect to W, b, tau_m and tau_r, from the zero state.

    x, y, flags  as in `antevolt.sim.golden.sequences`: [T, S, n], [T, S]; S may be dropped for
                 one stream (results keep it)
    learn_from   first step of the window; cost and gradient are of the steps from there on, with
                 the state at its start taken as given
    tau_m, tau_r  per population [neuron], in place of the network's
    through_leak  False: the errors at the output are those that the rule takes, beta (y -
                 softmax(gain z)) with the logits' leak not gone back through: what is exact then is
                 how they come down through the network and its past

    Raises BadInput for the parallel schedule, for gamma other than 0 and for wrong arrays.
    """
    _check(network)
    streams = np.shape(x)[1] if np.ndim(x) == 3 else 1
    data = sequences(
        network, streams, x, y, valid=valid, first=first, target_valid=target_valid, learn=False
    )
    if not 0 <= learn_from <= len(data.x):
        raise BadInput(f"learn_from is {learn_from}; x has {len(data.x)} steps")
    model = FloatNetwork(network, parameters, streams=streams, tau_m=tau_m, tau_r=tau_r)
    run = model.run(data.x, valid=data.valid, first=data.first, record=True)
    # Beside the state: products of steps without a target, or before the window, count nothing.
    counted = data.target_valid.copy()
    counted[:learn_from] = False
    kind, gain = network.cost, network.softmax_gain
    total = network.beta * float(cost(kind, run.z, data.y, gain)[counted].sum())
    wanted = network.beta * np.where(
        counted[..., None], output_error(kind, run.z, data.y, gain), 0.0
    )
    back = _Backwards(model, run, through_leak)
    for n in reversed(range(learn_from, len(data.x))):
        back.step(n, wanted[n], data.valid[n][:, None], data.first[n][:, None])
    gradient = Gradient.zeros(network)
    for k, p in enumerate(network.projections):
        error = back.errors[p.target - 1]
        rates = run.r[p.source - 1] if p.source else data.x
        if p.recurrent:
            rates = _step_before(rates, data)
        gradient.weights[k] = np.einsum("tsi,tsj->ij", error, rates)
        if p.bias:
            gradient.biases[k] = error.sum(axis=(0, 1))
    for l, u_dot in enumerate(run.u_dot):
        gradient.tau_m[l] = -(back.errors[l] * u_dot).sum(axis=(0, 1))
        gradient.tau_r[l] = (back.eps[l] * u_dot).sum(axis=(0, 1))
    return ExactGradient(total, gradient, back.errors)


class _Backwards:
    """The recursion: lambda (`errors`) and `eps` per population 1..L, [T, S, n].

    They are zero where `step` has not been. Beside them stands what came from the step after, each
    [S, n]: mu, nu and, per population, what recurrent projections hand back.
    """

    def __init__(self, model: FloatNetwork, run: Run, through_leak: bool) -> None:
        network = model.network
        self._weights, self._slope = model.weights, run.slope
        self.errors = [np.zeros_like(r) for r in run.r]
        self.eps = [np.zeros_like(r) for r in run.r]
        self._mu = [np.zeros(r.shape[1:]) for r in run.r]
        self._q_after = list(self._mu)
        self._nu = self._mu[-1]
        self._rho = [r / m for m, r in zip(model.tau_m, model.tau_r, strict=True)]
        self._a = [network.dt / m for m in model.tau_m]
        leak = through_leak and network.cost == "cross_entropy" and network.tau_z
        self._b = network.dt / leak if leak else 1.0
        outgoing = [network.outgoing(l + 1) for l in range(len(run.r))]
        projections = network.projections
        # (projection, index of its target) from each population
        self._ordinary, self._recurrent = (
            [
                [
                    (k, projections[k].target - 1)
                    for k in ks
                    if projections[k].recurrent is recurrent
                ]
                for ks in outgoing
            ]
            for recurrent in (False, True)
        )

    def step(self, n: int, wanted: Array, alive: Flags, starts: Flags) -> None:
        """Go over step n with -dC/dz of its own, `wanted` [S, outputs]; flags [S, 1].

        A frozen stream hands on what came from the step after; one that starts here has no past.
        """

        def hand_on(earlier: Array, later: Array) -> Array:
            return np.where(alive, np.where(starts, 0.0, earlier), later)

        nu = wanted + self._nu
        self._nu = hand_on((1.0 - self._b) * nu, self._nu)
        for l in reversed(range(len(self.errors))):
            q = self._q_after[l] if l < len(self.errors) - 1 else self._b * nu
            for k, target in self._ordinary[l]:
                q = q + self.errors[target][n] @ self._weights[k]
            eps, rho, a, mu = self._slope[l][n] * q, self._rho[l], self._a[l], self._mu[l]
            self.eps[l][n] = np.where(alive, eps, 0.0)
            self.errors[l][n] = np.where(alive, rho * eps + a * mu, 0.0)
            self._mu[l] = hand_on((1.0 - rho) * eps + (1.0 - a) * mu, mu)
        for l, projections in enumerate(self._recurrent):
            q = np.zeros_like(self._mu[l])
            for k, target in projections:
                q = q + self.errors[target][n] @ self._weights[k]
            self._q_after[l] = hand_on(q, self._q_after[l])


def _step_before(r: Array, data: Sequences) -> Array:
    """The rates [T, S, n] that recurrent projections carry: zero for a stream that starts."""
    before = np.zeros_like(r)
    before[1:] = r[:-1]
    return np.where(data.first[..., None], 0.0, before)


def alignment(
    network: Network,
    parameters: Parameters,
    x: ArrayLike,
    y: ArrayLike,
    *,
    learn_from: int = 0,
    first: FlagLike = None,
) -> Alignment:
    """Cosine of the online update with the exact gradient, parameters held still.

    The online rule is the network's own (`rule` of each population); its update is
    summed over the steps from `learn_from` on, its error neurons run from the first step. Leave a
    few of the largest time constants before the window, and some periods of the input within.
    Arrays as in `exact_gradient`. Raises BadInput.
    """
    exact = exact_gradient(network, parameters, x, y, first=first, learn_from=learn_from).gradient
    steps = len(np.asarray(x))
    streams = np.shape(x)[1] if np.ndim(x) == 3 else 1
    model = FloatNetwork(
        network.with_(apply_every=steps + 1), parameters, streams=streams, learn_from=learn_from
    )
    model.run(x, y, first=first)
    online = model.gradient
    indices = range(len(network.projections))
    pairs = [(online.projection(k), exact.projection(k)) for k in indices]
    return Alignment(
        projections=tuple(_cosine(a, b) for a, b in pairs),
        tau_m=tuple(_cosine(a, b) for a, b in zip(online.tau_m, exact.tau_m, strict=True)),
        tau_r=tuple(_cosine(a, b) for a, b in zip(online.tau_r, exact.tau_r, strict=True)),
        whole=_cosine(*(np.concatenate(side) for side in zip(*pairs, strict=True))),
        norm_ratios=tuple(
            _ratio(float(np.linalg.norm(a)), float(np.linalg.norm(b))) for a, b in pairs
        ),
    )


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


def _cosine(a: Array, b: Array) -> float:
    return _ratio(float(a @ b), float(np.linalg.norm(a) * np.linalg.norm(b)))
