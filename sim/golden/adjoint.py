# SPDX-License-Identifier: Apache-2.0
"""The exact gradient of the summed cost of a network, by the recursion backwards in time.

It is the yardstick for the local rule and needs the whole past, so it exists in software only.
For the float step of `antevolt.sim.golden.reference` (sequential schedule, gamma = 0) let
lambda_l[n] = -dC/ds_l[n] and mu_l[n] = -dC/du_l[n], C the sum of beta C over streams and steps.
With rho = tau_r/tau_m and a = dt/tau_m,

    eps_l[n]    = phi'(p_l[n]) q_l[n],   q_l = W_{l+1}^T lambda_{l+1};  q_L = -beta dC/dr_L
    lambda_l[n] = rho eps_l[n] + a mu_l[n]
    mu_l[n-1]   = (1 - rho) eps_l[n] + (1 - a) mu_l[n]          mu_l = 0 after the last step
    -dC/dW_l = sum lambda_l r_{l-1}^T     -dC/db_l = sum lambda_l     -dC/dtau_m = -sum lambda_l u'

This is the membrane filter run against time, where the local rule uses its causal inverse: the same
phase at each frequency, the reciprocal gain.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.golden.activations import Array
from antevolt.sim.golden.cost import cost, output_error
from antevolt.sim.golden.gradient import Gradient
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.golden.sequences import FlagLike, Sequences, sequences

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

    projections  cosine per projection, weights and biases together
    tau_m        cosine per population 1..L, of the time constants
    whole        cosine of all weights and biases as one vector
    norm_ratios  norm of the online update over that of the exact gradient, per projection

    A cosine is NaN where one of the two vectors is zero.
    """

    projections: tuple[float, ...]
    tau_m: tuple[float, ...]
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
    tau_m: list[Array] | None = None,
) -> ExactGradient:
    """Gradient of the summed cost with respect to W, b and tau_m, from the zero state.

    x, y, flags  as in `antevolt.sim.golden.sequences`: [T, S, n], [T, S]; S may be dropped for
                 one stream (results keep it)
    learn_from   first step of the window; cost and gradient are of the steps from there on, with
                 the state at its start taken as given
    tau_m        per population [neuron], in place of the network's

    Raises BadInput for the parallel schedule, for gamma other than 0 and for wrong arrays.
    """
    _check(network)
    streams = np.shape(x)[1] if np.ndim(x) == 3 else 1
    data = sequences(
        network, streams, x, y, valid=valid, first=first, target_valid=target_valid, learn=False
    )
    if not 0 <= learn_from <= len(data.x):
        raise BadInput(f"learn_from is {learn_from}; x has {len(data.x)} steps")
    model = FloatNetwork(network, parameters, streams=streams, tau_m=tau_m)
    run = model.run(data.x, valid=data.valid, first=data.first, record=True)
    # Beside the state: products of steps without a target, or before the window, count nothing.
    counted = data.target_valid.copy()
    counted[:learn_from] = False
    total = network.beta * float(cost(network.cost, run.out, data.y)[counted].sum())
    q = network.beta * np.where(
        counted[..., None], output_error(network.cost, run.out, data.y), 0.0
    )
    gradient = Gradient.zeros(network)
    errors = [np.zeros_like(r) for r in run.r]
    for k in reversed(range(len(network.projections))):
        rho, a = model.tau_r[k] / model.tau_m[k], network.dt / model.tau_m[k]
        eps = run.slope[k] * q
        error = _backwards(eps, rho, a, data, learn_from)
        below = run.r[k - 1] if k else data.x
        gradient.weights[k] = np.einsum("tsi,tsj->ij", error, below)
        if gradient.biases[k] is not None:
            gradient.biases[k] = error.sum(axis=(0, 1))
        gradient.tau_m[k] = -(error * run.u_dot[k]).sum(axis=(0, 1))
        errors[k] = error
        q = error @ model.weights[k]
    return ExactGradient(total, gradient, errors)


def _backwards(eps: Array, rho: Array, a: Array, data: Sequences, learn_from: int) -> Array:
    """lambda [T, S, n] of one population from its eps, zero before `learn_from`."""
    error = np.zeros_like(eps)
    mu = np.zeros(eps.shape[1:])
    ordinary = np.asarray((data.valid & ~data.first).all(axis=1))
    for n in reversed(range(learn_from, len(eps))):
        earlier = (1.0 - rho) * eps[n] + (1.0 - a) * mu
        error[n] = rho * eps[n] + a * mu
        if not ordinary[n]:
            alive, starts = data.valid[n][:, None], data.first[n][:, None]
            error[n] = np.where(alive, error[n], 0.0)
            # A frozen stream hands mu on; the state of one that starts here has no past.
            earlier = np.where(alive, np.where(starts, 0.0, earlier), mu)
        mu = earlier
    return error


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
        whole=_cosine(*(np.concatenate(side) for side in zip(*pairs, strict=True))),
        norm_ratios=tuple(
            _ratio(float(np.linalg.norm(a)), float(np.linalg.norm(b))) for a, b in pairs
        ),
    )


def _ratio(a: float, b: float) -> float:
    return a / b if b else math.nan


def _cosine(a: Array, b: Array) -> float:
    return _ratio(float(a @ b), float(np.linalg.norm(a) * np.linalg.norm(b)))
