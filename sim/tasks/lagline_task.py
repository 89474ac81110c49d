# SPDX-License-Identifier: Apache-2.0
"""`antevolt task lagline`: weights and time constants of a chain, learned on the chip.

The task of `lag_chain`, in the chip's arithmetic: two neurons learn the weights and lags of two
others, online, with one stream and a change at each step. An epoch is some periods of the input.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection
from antevolt.sim.golden.activations import Array
from antevolt.sim.tasks.lag_chain import (
    DT,
    ETA,
    PERIOD,
    SETTLED,
    TAU_M,
    TAU_MIN,
    TAU_R,
    WEIGHTS,
    square_wave,
    teach,
)
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import setting
from antevolt.sim.tasks.task import Record, Samples, Task, small
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["LAGLINE", "Settings", "command"]


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed."""

    epochs: int = setting(60, least=1)
    periods: int = setting(10, "Of the input in an epoch: 400 steps, 4 units of time.", least=1)
    rule: Literal["gle", "instantaneous"] = setting("gle", "gle: prospective errors.")
    eta: float = setting(ETA, "Of weights, per unit of time.")
    eta_tau: float = setting(ETA, "Of tau_m, per unit of time.")
    beta: float = setting(
        4.0, "Scale of the error, so that it is many LSB; the rates are divided by it."
    )


@cache
def _drawn(seed: int) -> tuple[float, ...]:
    """Two weights, two tau_m and the phase of the input, of U[0, 1)."""
    return tuple(np.random.default_rng(seed).uniform(size=5).tolist())


@cache
def _signals(seed: int) -> tuple[Array, Array]:
    """Input and targets of all periods until the teacher has settled, [SETTLED, PERIOD, 1, 1]."""
    x = square_wave(PERIOD, np.array(_drawn(seed)[4:]))
    return np.stack([x] * SETTLED), np.stack(teach(x, SETTLED))


def network(settings: Settings, seed: int) -> Network:
    """Two populations of one neuron."""
    populations = tuple(
        Population(
            1,
            "softplus",
            tau_m=max(tau, TAU_MIN),
            tau_r=TAU_R,
            rule=settings.rule,
            eta_tau_m=settings.eta_tau * DT / settings.beta,
        )
        for tau in _drawn(seed)[2:4]
    )
    projections = tuple(Projection(k, k + 1, bias=False) for k in range(2))
    eta = settings.eta * DT / settings.beta
    return Network(1, populations, projections, dt=DT, beta=settings.beta, eta=eta, seed=seed)


def machine(settings: Settings) -> Machine:
    """One row, one stream, time constants that learn."""
    return Machine(
        w_depth=64, r_depth=64, state_depth=64, q_depth=64, io_depth=16, time_constants=True
    )


def start(settings: Settings, seed: int) -> Parameters:
    """Weights of U[0, 1)."""
    return {f"{k}.weight": np.full((1, 1), w) for k, w in enumerate(_drawn(seed)[:2])}


def samples(settings: Settings, seed: int, epoch: int) -> Samples:
    """The next periods."""
    now = np.arange(epoch * settings.periods, (epoch + 1) * settings.periods)
    x, y = (part[np.minimum(now, SETTLED - 1)].reshape(-1, 1, 1) for part in _signals(seed))
    return Samples(x, y)


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    """Mean square of the error in the last period."""
    return {"loss": float(np.mean(np.square(given.y - outputs)[-PERIOD:]))}


def _look(core: Learner, settings: Settings, seed: int, epoch: int) -> Record:
    state = core.state_dict()
    return {
        "weights": [float(state[f"projection.{k}.weight"][0, 0]) for k in range(2)],
        "tau_m": [DT * float(state[f"population.{l}.tau_m"][0]) for l in (1, 2)],
    }


def _test(core: Learner, settings: Settings, seed: int) -> float:
    """The loss of one more period, in which it does not learn."""
    x, y = (part[-1].reshape(-1, 1, 1) for part in _signals(seed))
    return float(np.mean(np.square(y - core.predict(x))))


LAGLINE = Task(
    name="lagline",
    help=f"Learn the weights {WEIGHTS} and the lags tau_m = {TAU_M} of a chain of two neurons.",
    title=lambda s: f"LagLine, learned weights and time constants, rule {s.rule}",
    measure="loss",
    series=("loss",),
    settings=Settings,
    network=network,
    machine=machine,
    start=start,
    samples=samples,
    learned=_learned,
    look=_look,
    test=_test,
    steps=lambda settings: settings.periods * PERIOD,
    shown=small,
    logarithmic=True,
    lines=lambda settings: {"1e-4": 1e-4, "1e-5": 1e-5},
)
command = command_of(LAGLINE)
