# SPDX-License-Identifier: Apache-2.0
"""The step of a network in float64: what the fixed-point machine approximates.

Per neuron of population l, with a_m = dt/tau_m, a_r = dt/tau_r, rho = tau_r/tau_m, kappa = 1/rho:

    forward   s = sum W r_source + b  d = s + gamma e - u     p = u + rho d     u <- u + a_m d
              r = phi(p)              r' = phi'(p)
    error     q = sum B^T e_target    eps = r' q              delta = eps - v
              e = g (v + kappa delta) v <- v + a_r delta      at the output q = -beta dC/dz
    learn     dW = e r_source^T       db = e                  dtau_m = -e u'    dtau_r = eps u'
              (u' of the membrane; dB = dW where B is learned)

The sums are over the projections to and from the population; B is W or a matrix of its own. p and e
use the u and v from before the step. The rules `instantaneous` and `trace` have v = eps, e = g eps;
in the products of `trace` a trace h (`neuron`) stands for r_source. z is r or the leaky logits.

`sequential`: forward from the first population to the last with gamma e of the step before, then
errors from the last to the first. A recurrent projection carries the rates of the step before and
hands back the errors of the step before. `parallel`: every population from what all populations
held after the step before, and `out` is the output rate of the step before.
The equations are those of Generalized Latent Equilibrium (arXiv 2403.16933).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.golden.activations import Array, scaled
from antevolt.sim.golden.cost import leaky, output_error
from antevolt.sim.golden.neuron import error, membrane
from antevolt.sim.golden.plastic import Plastic
from antevolt.sim.golden.run import Run
from antevolt.sim.golden.sequences import FlagLike, Flags, Sequences, sequences

__all__ = ["FloatNetwork", "Run"]

STATE = ("u", "v", "r", "e", "slope", "u_dot", "q", "h_u", "z")
"""What streams carry from step to step: lists of arrays [S, ...], one per population 1..L; h_u one
per projection, z one."""


class FloatNetwork(Plastic):
    """A network with its state, its gradient and its parameters, all float64.

    network            the description; all of it is obeyed
    parameters         start values, copied
    streams            S, independent streams that share the parameters
    mean_over_streams  gradients are means over the S streams instead of sums
    eta_tau            learning rate of tau_m of all populations; 0: that of each
    eta_tau_r          the same of tau_r
    tau_min            learned time constants are raised to this after each change; default dt
    learn_from         steps before this one (counted since construction) do not learn
    tau_m, tau_r       per population [neuron], in place of the network's. They may be below dt,
                       where a network description refuses them
    masks              {projection: [target, source]}: factors of the changes of the weights (and of
                       backward weights that learn), 0 keeps a weight as it is

    An APPLY comes after every `apply_every` learning steps: steps in which at least one stream is
    valid and learns. Changes come after the last use of a parameter in a step.

    Attributes: `weights`, `biases`, `backward` (the latter two None where there is none), `tau_m`,
    `tau_r`, `gradient` and `learned`, the number of learning steps (since the last APPLY), and
    `steps`, the number of steps done.
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
        eta_tau_r: float = 0.0,
        tau_min: float | None = None,
        learn_from: int = 0,
        tau_m: Sequence[ArrayLike] | None = None,
        tau_r: Sequence[ArrayLike] | None = None,
        masks: Mapping[int, ArrayLike] | None = None,
    ):
        if streams < 1:
            raise BadInput(f"streams is {streams}; a network needs 1 or more")
        super().__init__(
            network,
            parameters,
            eta_tau=eta_tau,
            eta_tau_r=eta_tau_r,
            tau_min=tau_min,
            tau_m=tau_m,
            tau_r=tau_r,
            masks=masks,
        )
        self.streams = streams
        self.learn_from = learn_from
        self.steps = 0
        self._phi = [scaled(*p.function) for p in network.populations]
        self._depth = len(network.populations)
        # dt/tau_z of leaky logits, 0 where the cost reads the rates.
        leak = network.tau_z if network.cost == "cross_entropy" else None
        self._b_z = network.dt / leak if leak else 0.0
        self._share = 1.0 / streams if mean_over_streams else 1.0
        self.reset()

    def reset(self) -> None:
        """Set the state of all streams to zero; parameters, gradient and moments stay."""
        n = self.network.sizes
        zeros = [np.zeros((self.streams, size)) for size in n[1:]]
        self._u, self._v, self._r, self._e, self._slope, self._u_dot, self._q = (
            list(zeros) for _ in range(7)
        )
        self._h_u = []
        for p in self.network.projections:
            traces = self._traces[p.target - 1]
            self._h_u.append(np.zeros((self.streams, traces.copies if traces else 0, n[p.source])))
        self._z = [np.zeros((self.streams, n[-1]))]
        self._eps = list(zeros)  # of the present step only

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
        steps = len(data.x)
        result = Run.blank(self.network, (steps, self.streams), record=record)
        for n in range(steps):
            result.out[n] = self._step(data, n)
            if record:
                z = self._z[0] if self._b_z else result.out[n]
                result.keep(n, z, self.state)
        if record:
            result.sum_energy(self.network, data)
        if data.dropped:
            result.drop_streams()
        return result

    def predict(self, x: ArrayLike, *, valid: FlagLike = None, first: FlagLike = None) -> Array:
        """`out` for x without targets and learning; the state is put back afterwards."""
        before, steps = {name: list(self.state(name)) for name in STATE}, self.steps
        out = self.run(x, valid=valid, first=first, learn=False).out
        for name, kept in before.items():
            self.state(name)[:] = kept
        self.steps = steps
        return out

    def state(self, name: str) -> list[Array]:
        """The list that holds a quantity of `STATE`, or one of the last step."""
        state: list[Array] = getattr(self, f"_{name}")
        return state

    def _step(self, data: Sequences, n: int) -> Array:
        valid, first = data.valid[n], data.first[n] & data.valid[n]
        if first.any():
            for name in STATE:
                values = self.state(name)
                values[:] = [np.where(_beside(first, value), 0.0, value) for value in values]
        frozen = not valid.all()
        before = {name: list(self.state(name)) for name in STATE} if frozen else {}
        learn = data.learn[n] & valid if self.steps >= self.learn_from else np.zeros_like(valid)
        # Column of factors: what each stream adds to the gradient.
        weight = learn[:, None] * self._share if learn.any() else None
        target = data.target_valid[n][:, None]
        step = self._sequential if self.network.schedule == "sequential" else self._parallel
        out = step(data.x[n], data.y[n], target, weight)
        for name, kept in before.items():
            values = self.state(name)
            values[:] = [
                np.where(_beside(valid, new), new, old)
                for new, old in zip(values, kept, strict=True)
            ]
        self.steps += 1
        if weight is not None:
            self.learned += 1
            if self.learned >= self.network.apply_every:
                self.apply()
        return out

    def _sequential(self, x: Array, y: Array, target: Array, weight: Array | None) -> Array:
        # Rates of populations 0..L: of this step where it has come so far, else the step before's.
        r = [x, *self._r]
        carried: list[Array] = [x] * len(self.weights)
        for l in range(self._depth):
            for k in self._incoming[l]:
                carried[k] = r[self.network.projections[k].source]
            self._membrane(l, carried, self._e[l])
            r[l + 1] = self._r[l]
        factors = self._filtered(carried)
        q = self._output_error(r[-1], y, target)
        for l in reversed(range(self._depth)):
            # e of the populations above is of this step, that of all others of the step before.
            self._error(l, q if l == self._depth - 1 else self._handed_back(l))
        if weight is not None:
            self._learn(weight, factors)
        return r[-1]

    def _parallel(self, x: Array, y: Array, target: Array, weight: Array | None) -> Array:
        r = [x, *self._r]
        carried = [r[p.source] for p in self.network.projections]
        factors = self._filtered(carried)
        # No care for the softmax of a stream that starts: its r' is zero, and so is its eps.
        self._q[-1] = self._output_error(r[-1], y, target)
        for l in range(self._depth):
            self._error(l, self._q[l])
            self._membrane(l, carried, self._e[l])
        if weight is not None:
            self._learn(weight, factors)
        for l in range(self._depth - 1):
            self._q[l] = self._handed_back(l)
        return r[-1]

    def _output_error(self, r: Array, y: Array, target: Array) -> Array:
        """q of the output, -beta dC/dz, after the leaky logits have taken the output rates r."""
        z = r
        if self._b_z:
            z = self._z[0] = leaky(self._z[0], r, self._b_z)
        error = output_error(self.network.cost, z, y, self.network.softmax_gain)
        return np.where(target, self.network.beta * error, 0.0)

    def _membrane(self, l: int, carried: list[Array], e: Array) -> None:
        """u, u', r and r' of population l + 1 from the rates its projections carry, and gamma e."""
        s: Array | float = 0.0
        for k in self._incoming[l]:
            s = s + carried[k] @ self.weights[k].T
            bias = self.biases[k]
            if bias is not None:
                s = s + bias
        gamma = self.network.populations[l].gamma
        if gamma:
            s = s + gamma * e
        c = self._coefficients[l]
        p, self._u[l], d = membrane(np.asarray(s), self._u[l], c.rho, c.a_m)
        self._r[l], self._slope[l] = self._phi[l](p)
        self._u_dot[l] = d / self.tau_m[l]

    def _filtered(self, carried: list[Array]) -> list[Array]:
        """What stands beside e in dW, per projection: the carried rates or their traces h."""
        factors = list(carried)
        for l, traces in enumerate(self._traces):
            if traces:
                for k in self._incoming[l]:
                    factors[k], self._h_u[k] = traces.filter(
                        carried[k], self._h_u[k], self._coefficients[l]
                    )
        return factors

    def _handed_back(self, l: int) -> Array:
        """q of population l + 1: what its projections hand back of their targets' errors."""
        q = [
            self._e[self.network.projections[k].target - 1] @ self._down(k)
            for k in self._outgoing[l]
        ]
        return sum(q[1:], q[0]) if q else np.zeros_like(self._e[l])

    def _error(self, l: int, q: Array) -> None:
        eps = self._eps[l] = self._slope[l] * q
        self._e[l], self._v[l] = error(
            eps, self._v[l], self._coefficients[l], self.network.populations[l]
        )

    def _learn(self, weight: Array, factors: list[Array]) -> None:
        for l in range(self._depth):
            e, eps = weight * self._e[l], weight * self._eps[l]
            self._add(l, e, eps, self._u_dot[l], factors)


def _beside(flag: Flags, value: Array) -> Flags:
    """`flag` [S] in a shape that meets `value` [S, ...]."""
    return flag.reshape(-1, *(1,) * (value.ndim - 1))
