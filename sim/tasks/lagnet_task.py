# SPDX-License-Identifier: Apache-2.0
"""`antevolt task lagnet`: a teacher's weights, found by students of many seeds.

The task of `lagnet`, with more steps than its demonstration takes: the student's first projection
learns online, one stream, plain SGD, a change at each step, once input and target have settled. An
epoch is 2000 steps. The figure of a run is the largest distance of a weight from the teacher's.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.tasks import lagnet
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import setting
from antevolt.sim.tasks.task import Record, Samples, Task, small
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["LAGNET", "Settings", "command"]

STEPS = 2000  # of an epoch
SETTLE = 4  # epochs before the first that learns


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed. Raises BadInput where nothing would be learned."""

    epochs: int = setting(24, f"The first {SETTLE} do not learn.", least=1)
    rule: Literal["gle", "instantaneous"] = setting("gle", "gle: prospective errors.")
    eta: float = setting(lagnet.ETA, "Learning rate, the same to the end.")

    def __post_init__(self) -> None:
        if self.epochs <= SETTLE:
            raise BadInput(f"{self.epochs} epochs; the first {SETTLE} do not learn, give more")


def network(settings: Settings, seed: int) -> Network:
    """The demonstration's."""
    student = lagnet.network(settings.eta, settings.rule == "gle")
    return student.with_(seed=seed)


def machine(settings: Settings) -> Machine:
    """The demonstration's, one row and one stream."""
    return lagnet.CORE


def start(settings: Settings, seed: int) -> Parameters:
    """The teacher's weights but for the first two, which are of U(-1, 1)."""
    drawn = np.random.default_rng(seed).uniform(-1, 1, (2, 1))
    return {**lagnet.TEACHER, "0.weight": drawn}


def samples(settings: Settings, seed: int, epoch: int) -> Samples:
    """The next 2000 steps; of all seeds the same."""
    x, y = (part[epoch * STEPS : (epoch + 1) * STEPS, None] for part in _signals(settings.epochs))
    return Samples(x, y, learn=epoch >= SETTLE)


def _signals(epochs: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return lagnet.signals(epochs * STEPS)


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    return {"loss": float(np.mean(np.square(given.y - outputs)))}


def _look(core: Learner, settings: Settings, seed: int, epoch: int) -> Record:
    weights = core.state_dict()["projection.0.weight"][:, 0]
    return {"weights": weights.tolist(), "weight error": _distance(core)}


def _distance(core: Learner) -> float:
    weights = np.asarray(core.state_dict()["projection.0.weight"], dtype=np.float64)
    return float(np.abs(weights - lagnet.TEACHER["0.weight"]).max())


LAGNET = Task(
    name="lagnet",
    help="Find the weights (-0.5, 1) of a teacher with the same lags.",
    title=lambda s: f"LagNet, rule {s.rule}, eta {s.eta:g}",
    measure="largest distance of a weight",
    series=("loss", "weight error"),
    settings=Settings,
    network=network,
    machine=machine,
    start=start,
    samples=samples,
    learned=_learned,
    look=_look,
    test=lambda core, settings, seed: _distance(core),
    steps=lambda settings: STEPS,
    shown=small,
    logarithmic=True,
    lines=lambda settings: {"0.01": 0.01},
)
command = command_of(LAGNET)
