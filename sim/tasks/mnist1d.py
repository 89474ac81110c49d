# SPDX-License-Identifier: Apache-2.0
"""MNIST-1D learned sample by sample in the chip's own arithmetic, by its rule and its optimizer.

Six hidden layers, a third of each instantaneous, the rest leaky integrators. Errors come from leaky
logits, at every step; a prediction is the largest of the logits' sums over a sequence. Streams
start anew with each sequence, and the weights change at its end.
"""

from dataclasses import dataclass
from typing import Any, Literal

import click
import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import WORDS, Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population
from antevolt.host.device import Device
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.mnist1d_cosine import cosines
from antevolt.sim.tasks.mnist1d_data import (
    CLASSES,
    LENGTH,
    Split,
    fresh_split,
    test_split,
    train_split,
    valid_split,
)
from antevolt.sim.tasks.pieces import (
    classifier,
    epochs_option,
    fast_and_leaky,
    rule_option,
    stepwise,
    uniform_start,
)
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.run_command import integers
from antevolt.sim.tasks.task import Record, Samples, Task
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["MNIST1D", "Settings", "command", "machine", "network", "settings_of", "start"]

ETA = {"sign": 1e-3, "adam": 2e-3, "sgd": 2.0**-16}
"""Learning rates at the start. That of sgd is a quarter of the largest that was seen to learn."""
Optimizer = Literal["sign", "adam", "sgd"]
SUMS = 1 << 14
"""Most streams x outputs of a core that sums up its outputs; here the host does that."""
WORDS_OF_CORES = tuple(str(word) for word in reversed(WORDS))


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed.

    rule       of the hidden populations; the output's is `instantaneous`
    eta        at the start; it falls to zero by half a cosine, constant within an epoch
    hidden     sizes of the hidden populations
    streams    sequences at a time, whose gradients are summed for one change
    train, valid, test  sequences used of each split
    every      epochs from one look at `valid` to the next; the last one is always looked at
    amplitude, ramp  what varies from epoch to epoch: a factor 1 +- amplitude, and a slope of +-ramp
               from the middle of a sequence to its ends
    beta, g    scales of the error at the output and in each hidden population. They keep errors,
               which shrink on their way down, inside the words; sign and adam see no scale
    momentum, momentum2  of the optimizer; the latter of adam
    every_step  the weights change at every step, and not once for a sequence
    length     steps of a sequence, which is interpolated where there are more than its samples
    slow  largest tau_m, in steps; half of the slow neurons have half
    kappa      the most that an error filter of rule `gle` amplifies; None: tau_m/tau_r of each
    tau_z      of the leaky logits, steps; 0: errors come from the instantaneous logits
    softmax_gain  of the errors: onehot - softmax(gain z)
    reset      streams start anew with each sequence
    cosines    compare gradients with the exact ones at each look at `valid`
    """

    rule: Literal["trace", "gle", "instantaneous"] = "trace"
    optimizer: Optimizer = "sign"
    eta: float = ETA["sign"]
    hidden: tuple[int, ...] = (53,) * 6
    word: int = 18
    rows: int = 3
    streams: int = 16
    train: int = 4000
    valid: int = 2000
    test: int = 1000
    every: int = 5
    amplitude: float = 0.15
    ramp: float = 0.2
    beta: float = 8.0
    g: float = 1.0
    momentum: float = 1 - 2.0**-3
    slow: float = 4.0
    kappa: float | None = None
    tau_z: float = 8.0
    softmax_gain: float = 4.0
    reset: bool = True
    schedule: Literal["sequential", "parallel"] = "sequential"
    momentum2: float = 1 - 2.0**-7
    every_step: bool = False
    length: int = LENGTH
    cosines: bool = False

    @property
    def batches(self) -> int:
        """Changes of the weights in an epoch; sequences that fill no batch wait for the next."""
        return self.train // self.streams

    @property
    def steps(self) -> int:
        """Of an epoch, without looks at `valid`."""
        return self.batches * self.length

    def eta_of(self, epoch: int) -> float:
        """Of an epoch, counted from 0."""
        return self.eta * self.cosine(epoch)

    def looks(self, epoch: int) -> bool:
        """Whether `valid` is looked at after an epoch, counted from 0."""
        return (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs

    def first(self, sequences: int) -> NDArray[np.bool_]:
        """Of the steps of so many sequences of a stream: whether a sequence begins anew."""
        steps = np.arange(sequences * self.length)
        found: NDArray[np.bool_] = (steps % self.length == 0) & (self.reset | (steps == 0))
        return found


def network(settings: Settings, seed: int) -> Network:
    """The first hidden population is linear, as in the recipe; equal neurons stand together."""
    hidden = []
    for k, size in enumerate(settings.hidden):
        tau_m, tau_r = fast_and_leaky(size, settings.slow)
        phi = "tanh" if k else "linear"
        kappa = None
        if settings.kappa is not None:
            kappa = tuple(min(m / r, settings.kappa) for m, r in zip(tau_m, tau_r, strict=True))
        hidden.append(
            Population(size, phi, tau_m, tau_r, rule=settings.rule, g=settings.g, kappa=kappa)
        )
    return classifier(
        1,
        hidden,
        CLASSES,
        beta=settings.beta,
        tau_z=settings.tau_z or None,
        optimizer=settings.optimizer,
        momentum=settings.momentum,
        momentum2=settings.momentum2,
        softmax_gain=settings.softmax_gain,
        schedule=settings.schedule,
        eta=settings.eta,
        apply_every=1 if settings.every_step else settings.length,
        seed=seed,
    )


def machine(settings: Settings) -> Machine:
    """A core with room for it."""
    formats, io_depth = Formats(word=settings.word), 512
    return Machine(
        rows=settings.rows,
        streams=settings.streams,
        w_depth=4096,
        r_depth=1024,
        state_depth=2048,
        q_depth=128,
        io_depth=io_depth,
        program_depth=512,
        moments=2 if settings.optimizer == "adam" else 1,
        phi_log2=formats.phi_log2,
        sums=settings.streams * io_depth <= SUMS,
        formats=formats,
    )


def start(settings: Settings, seed: int) -> Parameters:
    """Weights in +-1.7 / sqrt(inputs of a neuron), biases in +-1 / sqrt(inputs)."""
    return uniform_start(network(settings, seed).sizes, seed)


def _varied(
    settings: Settings, seed: int, epoch: int, train: Split
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The sequences of an epoch: a permutation, each a little stronger or weaker and tilted."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(train))[: settings.batches * settings.streams]
    factor = 1 + settings.amplitude * rng.uniform(-1, 1, (len(order), 1))
    tilt = settings.ramp * rng.uniform(-1, 1, (len(order), 1))
    return train.x[order] * factor + tilt * np.linspace(-1, 1, settings.length), train.y[order]


def _accuracy(core: Learner, settings: Settings, split: Split) -> float:
    """The share of sequences whose largest sum of logits is that of their class."""
    streams = core.machine.total_streams
    missing = -len(split) % streams
    x = np.concatenate([split.x, np.zeros((missing, settings.length))])
    first = settings.first(len(x) // streams)
    outputs = core.predict(stepwise(x[..., None], streams), first=first)
    sums = _sums(outputs, settings).reshape(-1, CLASSES)
    return float((sums[: len(split)].argmax(axis=1) == split.y).mean())


def samples(settings: Settings, seed: int, epoch: int) -> Samples:
    """Every sequence once, in an order and a variation that follow from seed and epoch."""
    x, y = _varied(settings, seed, epoch, train_split(settings.length).head(settings.train))
    targets = np.repeat(np.eye(CLASSES)[y][:, None], settings.length, axis=1)
    return Samples(
        stepwise(x[..., None], settings.streams),
        stepwise(targets, settings.streams),
        first=settings.first(settings.batches),
    )


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    """The share of sequences that were classified rightly while it learned."""
    labels = given.y[:: settings.length].argmax(axis=-1)
    return {"train": float((_sums(outputs, settings).argmax(axis=-1) == labels).mean())}


def _look(core: Learner, settings: Settings, seed: int, epoch: int) -> Record:
    looked = settings.looks(epoch)
    valid = valid_split(settings.length).head(settings.valid)
    found: Record = {"valid": _accuracy(core, settings, valid) if looked else None}
    if settings.cosines and looked and isinstance(core, Device):
        found["cosine"] = cosines(core, valid)
    return found


def _sums(outputs: NDArray[Any], settings: Settings) -> NDArray[Any]:
    """[sequences, S, CLASSES] of [T, S, CLASSES]."""
    total: NDArray[Any] = outputs.reshape(-1, settings.length, *outputs.shape[1:]).sum(axis=1)
    return total


def settings_of(
    *,
    eta: float | None = None,
    optimizer: Optimizer = "sign",
    word: str | int = 18,
    **options: Any,
) -> Settings:
    """From the options of the command; raises BadInput."""
    rate = ETA[optimizer] if eta is None else eta
    settings = Settings(optimizer=optimizer, eta=rate, word=int(word), **options)
    if settings.train < settings.streams:
        raise BadInput(f"{settings.train} sequences do not fill {settings.streams} streams once")
    if settings.kappa is not None and settings.rule != "gle":
        raise BadInput(f"kappa is for rule gle; errors of rule {settings.rule} have none")
    if settings.cosines and settings.length != LENGTH:
        raise BadInput(f"cosines are of sequences of {LENGTH} steps")
    if settings.cosines and settings.device == "float":
        raise BadInput("cosines are of a core's gradients; the float model has none of its words")
    return settings


OF = Settings()
"""Defaults of the options."""
OPTIONS = (
    epochs_option(OF.epochs),
    rule_option(OF.rule, help="Of the hidden populations."),
    click.option("--optimizer", type=click.Choice(list(ETA)), default="sign", show_default=True),
    click.option(
        "--eta",
        type=float,
        help=f"At the start. [default: {', '.join(f'{v:.3g} ({k})' for k, v in ETA.items())}]",
    ),
    click.option("--momentum", type=float, default=OF.momentum, show_default=True),
    click.option("--momentum2", type=float, default=OF.momentum2, help="Of adam."),
    click.option(
        "--every-step",
        is_flag=True,
        help="The weights change at every step, and not once for a sequence.",
    ),
    click.option(
        "--schedule",
        type=click.Choice(["sequential", "parallel"]),
        default=OF.schedule,
        show_default=True,
    ),
    click.option(
        "--length",
        type=click.IntRange(LENGTH),
        default=OF.length,
        show_default=True,
        help="Steps of a sequence; its samples are interpolated.",
    ),
    click.option("--word", type=click.Choice(WORDS_OF_CORES), default="18", show_default=True),
    click.option(
        "--hidden",
        callback=integers(1),
        default=",".join(map(str, OF.hidden)),
        show_default=True,
        help="Sizes of the hidden populations.",
    ),
    click.option(
        "--slow",
        type=float,
        default=OF.slow,
        show_default=True,
        help="Largest tau_m, steps; that of the other slow neurons is half of it.",
    ),
    click.option("--streams", type=click.IntRange(1, 128), default=OF.streams, show_default=True),
    click.option("--rows", type=click.IntRange(1), default=OF.rows, show_default=True),
    click.option(
        "--train",
        type=click.IntRange(1, 4000),
        default=OF.train,
        show_default=True,
        help="Training sequences.",
    ),
    click.option(
        "--valid",
        type=click.IntRange(1, 2000),
        default=OF.valid,
        show_default=True,
        help="Fresh sequences, looked at on the way.",
    ),
    click.option(
        "--test",
        type=click.IntRange(1, 1000),
        default=OF.test,
        show_default=True,
        help="Test sequences, read once, at the end.",
    ),
    click.option(
        "--every",
        type=click.IntRange(1),
        default=OF.every,
        show_default=True,
        help="Epochs from one look at the fresh sequences to the next.",
    ),
    click.option("--amplitude", type=float, default=OF.amplitude, show_default=True),
    click.option("--ramp", type=float, default=OF.ramp, show_default=True),
    click.option("--beta", type=float, default=OF.beta, show_default=True),
    click.option(
        "--gain", "g", type=float, default=OF.g, show_default=True, help="g of each layer."
    ),
    click.option(
        "--kappa",
        type=click.FloatRange(0),
        help="The most that an error filter of rule gle amplifies. [default: tau_m / tau_r]",
    ),
    click.option(
        "--tau-z",
        type=click.FloatRange(0),
        default=OF.tau_z,
        show_default=True,
        help="Of the leaky logits, steps; 0: errors from the instantaneous ones.",
    ),
    click.option(
        "--softmax-gain",
        type=click.FloatRange(0, min_open=True),
        default=OF.softmax_gain,
        show_default=True,
    ),
    click.option(
        "--reset/--no-reset",
        default=OF.reset,
        show_default=True,
        help="Streams start anew with each sequence.",
    ),
    click.option(
        "--cosines",
        is_flag=True,
        help="At each look: cosine of the core's gradient with the exact one, by projection.",
    ),
)

MNIST1D = Task(
    name="mnist1d",
    help="Classify sequences of 72 samples, learned inside the core by a local rule.",
    title=lambda s: f"MNIST-1D, rule {s.rule}, {s.optimizer}, {s.word} bits",
    measure="accuracy",
    series=("train", "valid"),
    profile="cosine",
    settings=settings_of,
    options=OPTIONS,
    network=network,
    machine=machine,
    start=start,
    samples=samples,
    learned=_learned,
    look=_look,
    test=lambda core, settings, seed: _accuracy(
        core, settings, test_split(settings.length).head(settings.test)
    ),
    more={
        "fresh": (
            "Also classify 10,000 sequences of another generator seed, once.",
            lambda core, settings, seed: _accuracy(core, settings, fresh_split(settings.length)),
        )
    },
    steps=lambda settings: settings.steps,
    rate=lambda settings, epoch: settings.eta_of(epoch),
)
command = command_of(MNIST1D)
