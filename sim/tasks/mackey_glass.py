# SPDX-License-Identifier: Apache-2.0
"""`antevolt task mackey-glass`: predict a chaotic series, online, each sample seen once.

    x' = 0.2 x(t - 17) / (1 + x(t - 17)^10) - 0.1 x,  sampled once per unit of time

The series is shifted and scaled to about zero mean and unit variance. One number goes in a step; a
chain of linear neurons, each of which repeats its neighbour a step later (a recurrent projection
with fixed weights), keeps the last ones. Their cosine transform, in fixed weights too, is what the
learning part sees: a hidden population of tanh, and the output. One stream, a change at each step.
The figure is the NRMSE: the root of the mean square of the error over that of the series.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.pieces import NEVER
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import BETA, RATE, setting
from antevolt.sim.tasks.task import Record, Samples, Task
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["MACKEY_GLASS", "Settings", "command", "persistence", "series"]

LAG = 17
SUBSTEPS = 10  # of the integration, per sample
SKIPPED = 1000  # samples until the start is forgotten
MEAN, SPREAD = 0.93, 0.225  # about those of the series
STEPS = 2000  # samples of an epoch, and of the test
LARGEST = 3.9  # fixed weights; the format ends at 4


def _slope(now: float, then: float) -> float:
    return 0.2 * then / (1 + then**10) - 0.1 * now


@cache
def series(seed: int, count: int) -> NDArray[np.float64]:
    """`count` samples, scaled; by Runge and Kutta of order 4, from a random constant past."""
    h, lag = 1 / SUBSTEPS, LAG * SUBSTEPS
    x = [float(np.random.default_rng((seed, LAG)).uniform(0.5, 1.4))] * (lag + 1)
    for n in range((SKIPPED + count) * SUBSTEPS - 1):
        now, then, later = x[-1], x[n], x[n + 1]
        between = 0.5 * (then + later)
        k1 = _slope(now, then)
        k2 = _slope(now + 0.5 * h * k1, between)
        k3 = _slope(now + 0.5 * h * k2, between)
        k4 = _slope(now + h * k3, later)
        x.append(now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    sampled = np.array(x[lag::SUBSTEPS])[SKIPPED : SKIPPED + count]
    return (sampled - MEAN) / SPREAD


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed."""

    epochs: int = setting(60, "Of 2000 samples each, all different.", least=1)
    ahead: int = setting(1, "Steps ahead that are predicted.", least=1, most=100)
    taps: int = setting(24, "Samples that the chain keeps.", least=2, most=64)
    features: int = setting(12, "Of their cosine transform that are used.", least=1, most=64)
    hidden: int = setting(32, "Neurons of the tanh population.", least=1, most=64)
    eta: float = setting(0.05, RATE)
    beta: float = setting(8.0, f"{BETA} The rate is divided by it.")


def network(settings: Settings, seed: int) -> Network:
    """Input, chain, transform, hidden, output; the transform goes to the output, too."""

    def instantaneous(size: int, phi: str = "linear") -> Population:
        return Population(size, phi, NEVER, NEVER, rule="instantaneous")

    def fixed(source: int, target: int) -> Projection:
        return Projection(source, target, bias=False, learn=False)

    return Network(
        inputs=1,
        populations=(
            instantaneous(settings.taps),
            instantaneous(settings.features),
            instantaneous(settings.hidden, "tanh"),
            instantaneous(1),
        ),
        projections=(
            fixed(0, 1),
            fixed(1, 1),
            fixed(1, 2),
            Projection(2, 3),
            Projection(2, 4, bias=False),
            Projection(3, 4),
        ),
        beta=settings.beta,
        eta=settings.eta / settings.beta,
        seed=seed,
    )


def machine(settings: Settings) -> Machine:
    """One stream."""
    return Machine(
        rows=4, w_depth=1024, r_depth=256, state_depth=256, q_depth=128, program_depth=256
    )


def _transform(settings: Settings) -> NDArray[np.float64]:
    """Cosine transform [features, taps] of the chain, each row scaled to a spread of one.

    The scales are those of a series that no run sees, as far as the format of a weight allows.
    """
    k, n = np.arange(settings.features)[:, None], np.arange(settings.taps)
    rows = np.cos(math.pi * k * (n + 0.5) / settings.taps)
    windows = np.lib.stride_tricks.sliding_window_view(series(2**31, 4000), settings.taps)
    rows /= (windows @ rows.T).std(axis=0)[:, None]
    scale: NDArray[np.float64] = np.minimum(1.0, LARGEST / np.abs(rows).max(axis=1, keepdims=True))
    return rows * scale


def start(settings: Settings, seed: int) -> Parameters:
    """Learned weights small at the output, of U(-1, 1) / sqrt(inputs) below."""
    drawn = network(settings, seed).random_parameters(seed)
    chain = np.zeros((settings.taps, 1))
    chain[0] = 1.0
    drawn |= {
        "0.weight": chain,
        "1.weight": np.eye(settings.taps, k=-1),
        "2.weight": _transform(settings),
        "4.weight": np.zeros((1, settings.features)),
    }
    return drawn


def _count(settings: Settings) -> int:
    return (settings.epochs + 1) * STEPS + settings.ahead


def _part(settings: Settings, seed: int, part: int) -> Samples:
    """Epoch `part`, counted from 0; the one after the last is the test."""
    x = series(seed, _count(settings))
    at = np.arange(part * STEPS, (part + 1) * STEPS)
    return Samples(x[at][:, None, None], x[at + settings.ahead][:, None, None])


def _nrmse(y: NDArray[Any], outputs: NDArray[Any]) -> float:
    return float(np.sqrt(np.mean(np.square(y - outputs)) / np.var(y)))


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    return {"NRMSE": _nrmse(given.y, outputs)}


def _test(core: Learner, settings: Settings, seed: int) -> float:
    """Of the 2000 samples after the last epoch, without learning."""
    x, y = _part(settings, seed, settings.epochs)[:2]
    return _nrmse(y, core.predict(x))


def persistence(ahead: int) -> float:
    """NRMSE of the guess that nothing changes, in a series that no run sees."""
    x = series(2**31, 4000)
    return _nrmse(x[ahead:], x[:-ahead])


MACKEY_GLASS = Task(
    name="mackey-glass",
    help="Predict the chaotic series of Mackey and Glass, tau = 17, each sample seen once.",
    title=lambda s: f"Mackey-Glass, {s.ahead} ahead, online",
    measure="NRMSE",
    series=("NRMSE",),
    settings=Settings,
    network=network,
    machine=machine,
    start=start,
    samples=lambda settings, seed, epoch: _part(settings, seed, epoch),
    learned=_learned,
    test=_test,
    steps=lambda settings: STEPS,
    rate=lambda settings, epoch: settings.eta / settings.beta * settings.cosine(epoch),
    shown=lambda value: f"{value:.4f}",
    logarithmic=True,
    lines=lambda settings: {"nothing changes": persistence(settings.ahead)},
)
command = command_of(MACKEY_GLASS)
