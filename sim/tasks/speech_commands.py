# SPDX-License-Identifier: Apache-2.0
"""`antevolt task speech-commands`: recognise ten words, any other word, and silence.

32 log-mel bands a step; hidden populations, a third of each instantaneous, the rest leaky
integrators; errors at each step from leaky logits, as for MNIST-1D. A prediction is the largest of
the logits' sums over a second. An epoch is a number of utterances, as many of each class, drawn
anew.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.pieces import (
    classifier,
    fast_and_leaky,
    started,
    stepwise,
)
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import BETA, HIDDEN, RATE, RULE, SLOW, STREAMS, Rule, setting
from antevolt.sim.tasks.speech_commands_data import BANDS, CLASSES, FRAMES, Part, opened
from antevolt.sim.tasks.task import Record, Samples, Task
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["SPEECH_COMMANDS", "Settings", "command"]

DRAWN = {"valid": 1, "test": 2}  # seeds of what is looked at, the same in every run


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed."""

    data: str = setting(
        "speech_commands",
        "Folder of Google Speech Commands, as unpacked.",
        kind=click.Path(exists=True, file_okay=False),
        required=True,
    )
    epochs: int = setting(100, least=1)
    rule: Rule = setting("trace", RULE)
    hidden: tuple[int, ...] = setting((60, 60, 60), HIDDEN, least=3)
    slow: float = setting(8.0, SLOW)
    spacing: int = setting(
        1,
        "Steps from one frame to the next, interpolated; 40 frames are an utterance.",
        option="--interpolate",
        least=1,
        most=40,
    )
    train: int = setting(3600, "Utterances of an epoch.", least=1)
    valid: int = setting(600, "Looked at after it.", least=1)
    test: int = setting(2400, "At the end.", least=1)
    streams: int = setting(12, STREAMS, least=1, most=64)
    eta: float = setting(1e-3, RATE)
    beta: float = setting(4.0, BETA)

    def __post_init__(self) -> None:
        for name in ("train", "valid", "test"):
            if count := getattr(self, name) % self.streams:
                raise BadInput(
                    f"{name} is {getattr(self, name)}, {count} more than a multiple of the "
                    f"{self.streams} streams"
                )

    @property
    def length(self) -> int:
        """Steps of an utterance."""
        return FRAMES * self.spacing


def network(settings: Settings, seed: int) -> Network:
    """32 - hidden - 12."""
    hidden = [
        Population(size, "tanh", *fast_and_leaky(size, settings.slow), rule=settings.rule)
        for size in settings.hidden
    ]
    return classifier(
        BANDS,
        hidden,
        CLASSES,
        beta=settings.beta,
        eta=settings.eta,
        apply_every=settings.length,
        seed=seed,
    )


def machine(settings: Settings) -> Machine:
    """A core with room for it."""
    return Machine(
        rows=4,
        streams=settings.streams,
        w_depth=4096,
        r_depth=1024,
        state_depth=2048,
        q_depth=256,
        io_depth=512,
        program_depth=512,
        moments=1,
    )


def _drawn(
    settings: Settings, part: Part, count: int, seed: tuple[int, ...]
) -> tuple[Samples, NDArray[np.int64]]:
    """Utterances, as many of each class, in an order and a variation that follow from the seed."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % CLASSES)
    frames = opened(Path(settings.data)).features(part, labels, rng, part == "train")
    x = _interpolated(frames, settings.spacing)
    targets = np.repeat(np.eye(CLASSES)[labels][:, None], settings.length, axis=1)
    first = np.arange(count // settings.streams * settings.length) % settings.length == 0
    streams = settings.streams
    return Samples(stepwise(x, streams), stepwise(targets, streams), first=first), labels


def _interpolated(frames: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Straight from frame to frame; the last one stays."""
    share = (np.arange(steps) / steps)[:, None]
    following = np.concatenate([frames[:, 1:], frames[:, -1:]], axis=1)
    between = frames[:, :, None] * (1 - share) + following[:, :, None] * share
    return between.reshape(len(frames), -1, frames.shape[2])


def _right(settings: Settings, outputs: NDArray[Any], labels: NDArray[np.int64]) -> float:
    sums = outputs.reshape(-1, settings.length, *outputs.shape[1:]).sum(axis=1)
    return float((sums.reshape(-1, CLASSES).argmax(axis=-1) == labels).mean())


def samples(settings: Settings, seed: int, epoch: int) -> Samples:
    """An epoch's utterances."""
    return _drawn(settings, "train", settings.train, (seed, epoch))[0]


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    labels = given.y[:: settings.length].argmax(axis=-1).ravel()
    return {"train": _right(settings, outputs, labels)}


def _accuracy(core: Learner, settings: Settings, part: Part, count: int) -> float:
    given, labels = _drawn(settings, part, count, (DRAWN[part],))
    return _right(settings, core.predict(given.x, first=given.first), labels)


SPEECH_COMMANDS = Task(
    name="speech-commands",
    help="Recognise ten spoken words in files that you have.",
    title=lambda s: f"Speech Commands, rule {s.rule}",
    measure="accuracy",
    series=("train", "valid"),
    settings=Settings,
    network=network,
    machine=machine,
    start=started(network),
    samples=samples,
    learned=_learned,
    look=lambda core, settings, seed, epoch: {
        "valid": _accuracy(core, settings, "valid", settings.valid)
    },
    test=lambda core, settings, seed: _accuracy(core, settings, "test", settings.test),
    steps=lambda settings: settings.train // settings.streams * settings.length,
    rate=lambda settings, epoch: settings.eta * settings.cosine(epoch),
)
command = command_of(SPEECH_COMMANDS)
