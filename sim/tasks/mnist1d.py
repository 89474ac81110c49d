# SPDX-License-Identifier: Apache-2.0
"""MNIST-1D learned sample by sample in the chip's own arithmetic, by its rule and its optimizer.

Six hidden layers, a third of each instantaneous, the rest leaky integrators. Errors come from leaky
logits, at every step; a prediction is the largest of the logits' sums over a sequence. Streams
start anew with each sequence, and the weights change at its end.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import click
import numpy as np
from numpy.typing import NDArray

from antevolt.boards.catalogue import board
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
    fast_and_leaky,
    started,
    stepwise,
)
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import BETA, HIDDEN, RATE, RULE, SLOW, Rule, setting
from antevolt.sim.tasks.task import Record, Samples, Task
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["MNIST1D", "Settings", "command", "machine", "network", "start"]

ETA = {"sign": 1e-3, "adam": 2e-3, "sgd": 2.0**-16, "sign_sum": 1e-3}
"""Learning rates at the start. That of sgd is a quarter of the largest that was seen to learn."""
Optimizer = Literal["sign", "adam", "sgd", "sign_sum"]
MOMENTS = {"adam": 2, "sign_sum": 0}
"""Words for each weight beside it, where that is not one."""
SUMS = 1 << 14
"""Most streams x outputs of a core that sums up its outputs; here the host does that."""
WORDS_OF_CORES = tuple(str(word) for word in reversed(WORDS))


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed.

    Sequences of an epoch that fill no batch of all streams wait for the next.
    """

    epochs: int = setting(100, least=1)
    rule: Rule = setting("trace", RULE)
    optimizer: Optimizer = setting("sign")
    eta: float = setting(
        ETA["sign"], RATE, shown=", ".join(f"{v:.3g} ({k})" for k, v in ETA.items())
    )
    momentum: float = setting(1 - 2.0**-3)
    momentum2: float = setting(1 - 2.0**-7, "Of adam.")
    every_step: bool = setting(
        False, "The weights change at every step, and not once for a sequence."
    )
    schedule: Literal["sequential", "parallel"] = setting("sequential")
    length: int = setting(
        LENGTH, "Steps of a sequence; its samples are interpolated.", least=LENGTH
    )
    word: int = setting(
        18,
        "With 12 and less, errors are few LSB of a word: they want --r-max 1 --beta 8.",
        kind=click.Choice(WORDS_OF_CORES),
    )
    hidden: tuple[int, ...] = setting((53,) * 6, HIDDEN, least=1)
    slow: float = setting(4.0, SLOW)
    streams: int = setting(
        16, "Sequences at a time, whose gradients are summed for one change.", least=1, most=128
    )
    rows: int = setting(3, "Of the core's array.", least=1)
    contexts: int = setting(
        1,
        "Sequences that share a column of the core; no result depends on it.",
        kind=click.Choice(("1", "2", "4")),
    )
    board: str = setting(
        "",
        "The core of this board's preset, in place of one made for the network; --streams and "
        "--word are what it has.",
        kind=str,
    )
    train: int = setting(4000, "Training sequences.", least=1, most=4000)
    valid: int = setting(2000, "Fresh sequences, looked at on the way.", least=1, most=2000)
    test: int = setting(1000, "Test sequences, read once, at the end.", least=1, most=1000)
    every: int = setting(5, "Epochs from one look at the fresh sequences to the next.", least=1)
    amplitude: float = setting(
        0.15, "A sequence is multiplied by 1 +- this at random, anew in each epoch."
    )
    ramp: float = setting(0.2, "Largest slope added to it, from its middle to its ends.")
    shift: int = setting(
        0, "Most samples that it is moved by, either way; what leaves it comes in again.", least=0
    )
    beta: float = setting(2.0, BETA)
    r_max: float = setting(
        0.5,
        "Scale of all rates, inputs and biases: where tanh ends. Less keeps sums within the word.",
        least=0,
        above=True,
        before=1.0,
    )
    g: float = setting(
        1.0, "Scale of the error in each hidden population; keeps it many LSB.", option="--gain"
    )
    kappa: float | None = setting(
        None, "The most that an error filter of rule gle amplifies.", least=0, shown="tau_m / tau_r"
    )
    tau_z: float = setting(
        8.0, "Of the leaky logits, steps; 0: errors from the instantaneous ones.", least=0
    )
    softmax_gain: float = setting(
        4.0, "Of the errors: target - softmax(gain z / r_max).", least=0, above=True
    )
    reset: bool = setting(True, "Streams start anew with each sequence.")
    cosines: bool = setting(
        False, "At each look: cosine of the core's gradient with the exact one, by projection."
    )

    @classmethod
    def of(cls, **options: Any) -> Self:
        """From options; without `eta`, that of the optimizer. Raises BadInput."""
        rate = options.pop("eta", None)
        rate = ETA[options.get("optimizer", cls.optimizer)] if rate is None else rate
        for name in ("word", "contexts"):
            options[name] = int(options.get(name, getattr(cls, name)))
        return cls(eta=rate, **options)

    def __post_init__(self) -> None:
        if self.train < self.streams:
            raise BadInput(f"{self.train} sequences do not fill {self.streams} streams once")
        if self.streams % self.contexts:
            raise BadInput(f"{self.streams} streams are no multiple of {self.contexts} contexts")
        if self.board:
            core = board(self.board).machine
            if (self.streams, self.word) != (core.total_streams, core.formats.word):
                raise BadInput(
                    f"the core of {self.board} has {core.total_streams} streams and words of "
                    f"{core.formats.word} bits: give --streams {core.total_streams} "
                    f"--word {core.formats.word}"
                )
        if self.kappa is not None and self.rule != "gle":
            raise BadInput(f"kappa is for rule gle; errors of rule {self.rule} have none")
        if self.cosines and self.length != LENGTH:
            raise BadInput(f"cosines are of sequences of {LENGTH} steps")
        if self.cosines and self.device == "float":
            raise BadInput(
                "cosines are of a core's gradients; the float model has none of its words"
            )

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
            Population(
                size,
                phi,
                tau_m,
                tau_r,
                rule=settings.rule,
                g=settings.g,
                kappa=kappa,
                r_max=settings.r_max,
            )
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
        softmax_gain=settings.softmax_gain / settings.r_max,
        schedule=settings.schedule,
        eta=settings.eta,
        apply_every=1 if settings.every_step else settings.length,
        seed=seed,
    )


def start(settings: Settings, seed: int) -> Parameters:
    """Weights as of any chain; what is added to them is scaled as rates are."""
    drawn = started(network)(settings, seed)
    return {k: v * (settings.r_max if "bias" in k else 1) for k, v in drawn.items()}


def machine(settings: Settings) -> Machine:
    """A core with room for it, or that of a board."""
    if settings.board:
        return board(settings.board).machine
    formats, io_depth = Formats(word=settings.word), 512 * settings.contexts
    streams = settings.streams // settings.contexts
    return Machine(
        rows=settings.rows,
        streams=streams,
        contexts=settings.contexts,
        w_depth=4096,
        r_depth=1024,
        state_depth=2048,
        q_depth=128,
        io_depth=io_depth,
        program_depth=512,
        moments=MOMENTS.get(settings.optimizer, 1),
        carry=settings.optimizer == "sign_sum",
        phi_log2=formats.phi_log2,
        sums=streams * io_depth <= SUMS,
        formats=formats,
    )


def _varied(
    settings: Settings, seed: int, epoch: int, train: Split
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The sequences of an epoch: a permutation, each a little stronger or weaker, tilted, moved."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(train))[: settings.batches * settings.streams]
    factor = 1 + settings.amplitude * rng.uniform(-1, 1, (len(order), 1))
    tilt = settings.ramp * rng.uniform(-1, 1, (len(order), 1))
    moved = train.x[order]
    if settings.shift:
        by = rng.integers(-settings.shift, settings.shift, (len(order), 1), endpoint=True)
        moved = np.take_along_axis(moved, (np.arange(settings.length) - by) % settings.length, 1)
    x = moved * factor + tilt * np.linspace(-1, 1, settings.length)
    return settings.r_max * x, train.y[order]


def _accuracy(core: Learner, settings: Settings, split: Split) -> float:
    """The share of sequences whose largest sum of logits is that of their class."""
    streams = core.machine.total_streams
    missing = -len(split) % streams
    x = np.concatenate([settings.r_max * split.x, np.zeros((missing, settings.length))])
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
        found["cosine"] = cosines(core, replace(valid, x=settings.r_max * valid.x))
    return found


def _sums(outputs: NDArray[Any], settings: Settings) -> NDArray[Any]:
    """[sequences, S, CLASSES] of [T, S, CLASSES]."""
    total: NDArray[Any] = outputs.reshape(-1, settings.length, *outputs.shape[1:]).sum(axis=1)
    return total


MNIST1D = Task(
    name="mnist1d",
    help="Classify sequences of 72 samples, learned inside the core by a local rule.",
    title=lambda s: f"MNIST-1D, rule {s.rule}, {s.optimizer}, {s.word} bits",
    measure="accuracy",
    series=("train", "valid"),
    profile="cosine",
    settings=Settings,
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
