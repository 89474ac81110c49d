# SPDX-License-Identifier: Apache-2.0
"""LagLine: a chain of two slow neurons learns the weights and lags of another such chain.

One input, two populations of one neuron each (softplus, tau_r = 0.1), no bias. The teacher has
w = (1, 2) and tau_m = (1, 2); a student starts with both drawn from U[0, 1), tau_m raised to 0.1
or more, and learns all four online: one stream, plain SGD, a change at each step. The input is a
square wave +-1 with half-period 2, smoothed over 5 steps, dt = 0.01. The task is that of figure 5
of the GLE paper (arXiv 2403.16933), which uses Adam and a batch of 100.

Students with different seeds run side by side: as K neurons per population whose weights are a
diagonal, kept so by a mask, each with its own input.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection
from antevolt.sim.golden.activations import Array
from antevolt.sim.golden.reference import FloatNetwork

__all__ = [
    "DT",
    "ETA",
    "PERIOD",
    "SETTLED",
    "TAU_M",
    "TAU_MIN",
    "WEIGHTS",
    "History",
    "Student",
    "learn",
    "side_by_side",
    "square_wave",
    "teach",
]

DT = 0.01
HALF_PERIOD = 200  # steps
PERIOD = 2 * HALF_PERIOD
SMOOTHING = 5.0  # standard deviation of the Gaussian, steps
SETTLED = 20  # periods of the teacher: exp(-20 * 4 / 2) is below the resolution of a float
WEIGHTS = (1.0, 2.0)
TAU_M = (1.0, 2.0)
TAU_R = 0.1
TAU_MIN = 0.1
ETA = 0.3
"""Learning rate per unit of time, of weights and time constants; times dt for one step."""


def square_wave(steps: int, phases: Array) -> Array:
    """The input [steps, 1, K]: one smoothed square wave per column, shifted by `phases` periods."""
    # One smooth period, made by a circular convolution, then read out shifted.
    period = np.where(np.arange(PERIOD) < HALF_PERIOD, 1.0, -1.0)
    distance = np.minimum(np.arange(PERIOD), PERIOD - np.arange(PERIOD))
    kernel = np.exp(-0.5 * (distance / SMOOTHING) ** 2)
    spectrum = np.fft.rfft(period) * np.fft.rfft(kernel / kernel.sum())
    smooth = np.fft.irfft(spectrum, PERIOD)
    shift = np.floor(np.asarray(phases) * PERIOD).astype(np.int64)
    wave = smooth[(np.arange(steps)[:, None] + shift) % PERIOD]
    return np.asarray(wave[:, None, :])


def side_by_side(
    weights: Array, tau_m: Array, *, prospective_errors: bool
) -> tuple[Network, Parameters]:
    """K chains as one network: `weights` and `tau_m` are [2, K], finite and tau_m >= dt."""
    populations = tuple(
        Population(
            size=weights.shape[1],
            phi="softplus",
            tau_m=tuple(tau),
            tau_r=TAU_R,
            rule="gle" if prospective_errors else "instantaneous",
        )
        for tau in tau_m
    )
    network = Network(
        inputs=weights.shape[1],
        populations=populations,
        projections=(Projection(0, 1, bias=False), Projection(1, 2, bias=False)),
        dt=DT,
        eta=ETA * DT,
    )
    return network, {f"{k}.weight": np.diag(row) for k, row in enumerate(weights)}


def teach(x: Array, periods: int) -> list[Array]:
    """The teacher's outputs [PERIOD, 1, K], one per period of the input `x` [PERIOD, 1, K].

    At most `SETTLED` of them: from there on all are equal, and the last stands for the rest.
    """
    columns = np.ones((1, x.shape[2]))
    network, parameters = side_by_side(
        np.array(WEIGHTS)[:, None] * columns,
        np.array(TAU_M)[:, None] * columns,
        prospective_errors=True,
    )
    teacher = FloatNetwork(network, parameters)
    return [teacher.run(x).out for _ in range(min(periods, SETTLED))]


@dataclass(frozen=True)
class Student:
    """One seed's way through the task; P periods of the input, each 4 units of time.

    loss      [P] mean over a period of (target - output)^2
    weights   [P + 1, 2] at the start and after each period
    tau_m     [P + 1, 2]
    before, after  [PERIOD] outputs in the first and the last period
    target    [PERIOD] target of the last period; `first_target` of the first
    """

    seed: int
    loss: Array
    weights: Array
    tau_m: Array
    before: Array
    after: Array
    first_target: Array
    target: Array

    @property
    def final_loss(self) -> float:
        return float(self.loss[-1])

    def time_to(self, loss: float) -> float | None:
        """Time after which the loss of a period is first below `loss`; None: never."""
        below = np.flatnonzero(self.loss < loss)
        return float((below[0] + 1) * PERIOD * DT) if below.size else None


@dataclass(frozen=True)
class History:
    """All students of one rule."""

    rule: str
    students: tuple[Student, ...]

    def reached(self, loss: float) -> int:
        """How many students end below `loss`."""
        return sum(s.final_loss < loss for s in self.students)


def _beginners(weights: Array, tau_m: Array, prospective_errors: bool) -> FloatNetwork:
    """K students side by side, from the weights and tau_m [2, K] that were drawn for them."""
    network, parameters = side_by_side(
        weights, np.maximum(tau_m, TAU_MIN), prospective_errors=prospective_errors
    )
    diagonal = np.eye(weights.shape[1])
    return FloatNetwork(
        network,
        parameters,
        eta_tau=ETA * DT,
        tau_min=TAU_MIN,
        masks={0: diagonal, 1: diagonal},
    )


def learn(
    seeds: int,
    periods: int,
    *,
    prospective_errors: bool,
    progress: Callable[[int], None] = lambda periods: None,
) -> History:
    """Let students with seeds 0 .. seeds-1 learn for `periods` periods of the input.

    prospective_errors  True: the errors of GLE, which undo the neurons' lags; False: instantaneous
    progress            called with 1 after each period
    Raises BadInput for fewer than one seed or period.
    """
    if seeds < 1 or periods < 1:
        raise BadInput(f"there are {seeds} seeds and {periods} periods; give 1 or more of each")
    drawn = np.stack([np.random.default_rng(seed).uniform(size=5) for seed in range(seeds)], axis=1)
    student = _beginners(drawn[0:2], drawn[2:4], prospective_errors)
    # The input repeats: one period of it, [PERIOD, 1, K], serves for all.
    x = square_wave(PERIOD, drawn[4])
    targets = teach(x, periods)
    loss = np.zeros((periods, seeds))
    weights, tau_m = np.zeros((2, periods + 1, 2, seeds))
    outputs: list[tuple[Array, Array]] = []
    for period in range(periods + 1):
        for k in range(2):
            weights[period, k] = student.weights[k].diagonal()
            tau_m[period, k] = student.tau_m[k]
        if period == periods:
            break
        target = targets[min(period, len(targets) - 1)]
        output = student.run(x, target).out
        loss[period] = np.square(target - output).mean(axis=(0, 1))
        if period in (0, periods - 1):
            outputs.append((output[:, 0], target[:, 0]))
        progress(1)
    (before, first_target), (after, target) = outputs[0], outputs[-1]
    fields = (loss, weights, tau_m, before, after, first_target, target)  # [..., K]
    return History(
        "GLE" if prospective_errors else "instantaneous",
        tuple(Student(seed, *(each[..., seed] for each in fields)) for seed in range(seeds)),
    )
