# SPDX-License-Identifier: Apache-2.0
"""`antevolt task delayed-xor`: remember the last cue of each of two kinds, and say if they differ.

Two inputs are zero but for cues of one step, +1 or -1, at random times. The target, at every step,
is the product of the last cue of the one and the last cue of the other input, however long ago they
came. The test has one cue in 500 steps.

No feed-forward network of these neurons can do that. What such a neuron knows of the past is in its
membrane, and u <- u + (s - u) / tau_m forgets: after T steps the share exp(-T / tau_m) is left of
what a cue did, whatever the weights, and a chain of L of them keeps no more than a polynomial of
degree L - 1 times that. So the outputs after two different cues come together, until nothing but
rounding, an LSB or two, is left between them. A loop has states that stay by themselves.

This one forgets, too, when it begins: each neuron keeps `hold` of itself from step to step. It has
to learn to remember, by the local rule. Errors do not go round the loop (`loop_errors`): there they
would meet rates of later steps than those that caused them, and grow. Without them the weights of
the loop learn what back-propagation through time says that is cut off after one step.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.pieces import NEVER
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import BETA, RATE, Rule, setting
from antevolt.sim.tasks.task import Record, Samples, Task
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["DELAYED_XOR", "Settings", "command"]

STEPS = 2000  # of an epoch
RATES = (0.01, 0.3)  # cues in a step while it learns: log-uniform, one for each stream
TEST_RATE, TEST_STEPS = 1 / 500, 5000
REACTION = 5  # steps after a cue that are not counted


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed."""

    epochs: int = setting(40, least=1)
    rule: Rule = setting("instantaneous", "Of the first hidden population.")
    loop: bool = setting(True, "A projection from the first hidden population to itself.")
    loop_learns: bool = setting(
        True, "Whether its weights change.", option="--loop-learns/--loop-frozen"
    )
    loop_errors: bool = setting(
        False,
        "Whether it hands errors back; else backward weights of its own, all zero, keep them out.",
    )
    slow: float = setting(
        0.0, "Largest tau_m there, steps; 0: all neurons are instantaneous.", least=0, most=2000
    )
    first: int = setting(24, "Neurons of the first hidden population.", least=1, most=60)
    second: int = setting(16, "Of the second one.", least=1, most=60)
    streams: int = setting(16, least=1, most=64)
    apply_every: int = setting(10, "Steps from one change of the weights to the next.", least=1)
    eta: float = setting(5e-4, RATE)
    beta: float = setting(4.0, BETA)
    hold: float = setting(
        0.9, "What a neuron of the loop keeps of itself from step to step, at the start."
    )
    reach: float = setting(0.05, "Spectral radius of the other weights of the loop, at the start.")
    cue: float = setting(2.0, "Factor of the first weights of the inputs.")


def network(settings: Settings, seed: int) -> Network:
    """2 - first (with a loop) - second - 1."""
    tau_m: float | tuple[float, ...] = NEVER
    tau_r: float | tuple[float, ...] = NEVER
    if settings.slow:
        tau_m = tuple(np.geomspace(1.0, settings.slow, settings.first).tolist())
        tau_r = 1.0
    loop: tuple[Projection, ...] = ()
    if settings.loop:
        backward: Literal["transpose", "fixed"] = "transpose" if settings.loop_errors else "fixed"
        loop = (Projection(1, 1, bias=False, learn=settings.loop_learns, backward=backward),)
    return Network(
        inputs=2,
        populations=(
            Population(settings.first, "tanh", tau_m, tau_r, rule=settings.rule),
            Population(settings.second, "tanh", NEVER, NEVER, rule="instantaneous"),
            Population(1, "linear", NEVER, NEVER, rule="instantaneous"),
        ),
        projections=(Projection(0, 1), *loop, Projection(1, 2), Projection(2, 3)),
        beta=settings.beta,
        optimizer="sign",
        momentum=1 - 2.0**-3,
        eta=settings.eta,
        apply_every=settings.apply_every,
        seed=seed,
    )


def machine(settings: Settings) -> Machine:
    """A core with room for it."""
    return Machine(
        rows=4,
        streams=settings.streams,
        w_depth=1024,
        r_depth=512,
        state_depth=256,
        q_depth=128,
        program_depth=256,
        moments=1,
    )


def start(settings: Settings, seed: int) -> Parameters:
    """Of U(-1.7, 1.7) / sqrt(inputs), but for the loop and the weights of the cues."""
    drawn = network(settings, seed).random_parameters(seed, gain=1.7)
    drawn["0.weight"] *= settings.cue
    n = settings.first
    if settings.loop:
        loop = np.random.default_rng((seed, 1)).normal(size=(n, n)) / np.sqrt(n)
        drawn["1.weight"] = settings.hold * np.eye(n) + settings.reach * loop
    if "1.backward" in drawn:
        drawn["1.backward"] = np.zeros((n, n))
    return drawn


def cues(
    rng: np.random.Generator, steps: int, rates: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """x [T, S, 2], y [T, S, 1] and the steps since the last cue [T, S]; `rates` [S].

    Both cues come in the first step.
    """
    streams = len(rates)
    x = np.zeros((steps, streams, 2))
    when = rng.random((steps, streams)) < rates
    which = rng.integers(0, 2, (steps, streams))
    signs = rng.choice([-1.0, 1.0], (steps, streams))
    for channel in (0, 1):
        x[..., channel] = np.where(when & (which == channel), signs, 0.0)
    x[0] = rng.choice([-1.0, 1.0], (streams, 2))
    number = np.arange(steps)[:, None, None]
    last = np.maximum.accumulate(np.where(x != 0, number, 0), axis=0)
    held = np.take_along_axis(x, last, axis=0)
    since = (number - last).min(axis=2)
    return x, held.prod(axis=2, keepdims=True), since


def samples(settings: Settings, seed: int, epoch: int) -> Samples:
    """2000 steps; all streams start anew."""
    rng = np.random.default_rng((seed, epoch))
    low, high = np.log(RATES)
    rates = np.exp(rng.uniform(low, high, settings.streams))
    x, y, _ = cues(rng, STEPS, rates)
    return Samples(x, y, first=np.arange(STEPS) == 0)


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    """Of all steps, those of the cues among them."""
    return {"learning": float((np.sign(outputs) == given.y).mean())}


def _right(core: Learner, settings: Settings, rng: np.random.Generator, steps: int) -> float:
    """Share of the steps, some steps after a cue and later, in which the sign is right."""
    x, y, since = cues(rng, steps, np.full(settings.streams, TEST_RATE))
    outputs = core.predict(x, first=np.arange(steps) == 0)
    return float((np.sign(outputs) == y)[since >= REACTION].mean())


def _look(core: Learner, settings: Settings, seed: int, epoch: int) -> Record:
    looked = (epoch + 1) % 5 == 0 or epoch + 1 == settings.epochs
    rng = np.random.default_rng((seed, epoch, 1))
    return {"valid": _right(core, settings, rng, STEPS) if looked else None}


def _test(core: Learner, settings: Settings, seed: int) -> float:
    return _right(core, settings, np.random.default_rng((seed, 0, 2)), TEST_STEPS)


DELAYED_XOR = Task(
    name="delayed-xor",
    help="Remember the last cue of each of two kinds, and say if they differ.",
    title=lambda s: f"Delayed XOR, {'a loop' if s.loop else 'no loop'}, rule {s.rule}",
    measure="right signs",
    series=("learning", "valid"),
    settings=Settings,
    network=network,
    machine=machine,
    start=start,
    samples=samples,
    learned=_learned,
    look=_look,
    test=_test,
    steps=lambda settings: STEPS,
    rate=lambda settings, epoch: settings.eta * settings.cosine(epoch),
)
command = command_of(DELAYED_XOR)
