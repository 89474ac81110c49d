# SPDX-License-Identifier: Apache-2.0
"""`antevolt task japanese-vowels`: recognise nine speakers by how they say a vowel.

12 numbers a step; two hidden populations, a third of each instantaneous, the rest leaky
integrators; errors at each step from leaky logits, as for MNIST-1D. A prediction is the largest of
the logits' sums over an utterance. Streams start anew with each, and the weights change when some
have ended. Utterances are filled up with steps that have no target.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.sim.tasks.japanese_vowels_data import (
    CHANNELS,
    CLASSES,
    LENGTH,
    Utterances,
    test_part,
    train_part,
)
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.pieces import (
    classifier,
    fast_and_leaky,
    started,
    stepwise,
)
from antevolt.sim.tasks.run_command import command as command_of
from antevolt.sim.tasks.setting import BETA, RATE, RULE, STREAMS, Rule, setting
from antevolt.sim.tasks.task import Record, Samples, Task
from antevolt.sim.tasks.task import Settings as TaskSettings

__all__ = ["JAPANESE_VOWELS", "Settings", "command"]

PER_SPEAKER = 30


@dataclass(frozen=True)
class Settings(TaskSettings):
    """What a run depends on, besides its seed.

    All settings were chosen on `held` utterances; none are held back in a run that counts.
    """

    epochs: int = setting(100, least=1)
    rule: Rule = setting("trace", RULE)
    hidden: int = setting(48, "Neurons of each of the two hidden populations.", least=3, most=100)
    held: int = setting(
        0,
        "Of each speaker's 30 training utterances, held back to choose settings on.",
        least=0,
        most=PER_SPEAKER - 1,
    )
    noise: float = setting(0.3, "Standard deviation of what inputs vary by, step by step.", least=0)
    shift: float = setting(
        0.3, "The same of a channel throughout an utterance, new in each epoch.", least=0
    )
    streams: int = setting(9, STREAMS, least=1, most=64)
    eta: float = setting(2e-3, RATE)
    beta: float = setting(4.0, BETA)

    def __post_init__(self) -> None:
        if self.hidden < 3:
            raise BadInput(f"hidden is {self.hidden}; there is one neuron of each kind, 3 or more")


def network(settings: Settings, seed: int) -> Network:
    """12 - hidden - hidden - 9."""
    tau_m, tau_r = fast_and_leaky(settings.hidden, 4.0)
    hidden = Population(settings.hidden, "tanh", tau_m, tau_r, rule=settings.rule)
    return classifier(
        CHANNELS,
        (hidden, hidden),
        CLASSES,
        beta=settings.beta,
        eta=settings.eta,
        apply_every=LENGTH,
        seed=seed,
    )


def machine(settings: Settings) -> Machine:
    """A core with room for it."""
    return Machine(
        rows=3,
        streams=settings.streams,
        w_depth=2048,
        r_depth=512,
        state_depth=512,
        q_depth=128,
        io_depth=256,
        program_depth=256,
        moments=1,
    )


def _parts(settings: Settings) -> tuple[Utterances, Utterances]:
    """What is learned and what is held back: the last ones of each speaker."""
    whole = train_part()
    places = np.concatenate([np.flatnonzero(whole.y == speaker) for speaker in range(CLASSES)])
    by_speaker = places.reshape(CLASSES, PER_SPEAKER)
    kept = PER_SPEAKER - settings.held
    return whole.take(by_speaker[:, :kept].ravel()), whole.take(by_speaker[:, kept:].ravel())


def _streams(settings: Settings, given: Utterances) -> Samples:
    """One after the other on all streams, filled up at the end."""
    streams = settings.streams
    missing = -len(given) % streams
    x = np.concatenate([given.x, np.zeros((missing, LENGTH, CHANNELS))])
    y = np.concatenate([given.y, np.zeros(missing, np.int64)])
    lengths = np.concatenate([given.lengths, np.zeros(missing, np.int64)])
    targets = np.repeat(np.eye(CLASSES)[y][:, None], LENGTH, axis=1)
    there = (np.arange(LENGTH) < lengths[:, None])[..., None]
    return Samples(
        stepwise(x, streams),
        stepwise(targets, streams),
        first=np.arange(len(x) // streams * LENGTH) % LENGTH == 0,
        target_valid=stepwise(there, streams)[..., 0],
    )


def _drawn(settings: Settings, seed: int, epoch: int) -> Utterances:
    """Those of an epoch, in an order and with noise that follow from seed and epoch."""
    rng, given = np.random.default_rng((seed, epoch)), _parts(settings)[0]
    given = given.take(rng.permutation(len(given)))
    there = (np.arange(LENGTH) < given.lengths[:, None])[..., None]
    added = settings.noise * rng.normal(size=given.x.shape)
    added += settings.shift * rng.normal(size=(len(given), 1, CHANNELS))
    return Utterances(given.x + added * there, given.lengths, given.y)


def _right(settings: Settings, given: Samples, outputs: NDArray[Any], count: int) -> float:
    """Share of the first `count` utterances whose largest sum of logits is their speaker's."""
    there = np.asarray(given.target_valid)[..., None]
    sums = (outputs * there).reshape(-1, LENGTH, settings.streams, CLASSES).sum(axis=1)
    labels = given.y[::LENGTH].argmax(axis=-1)
    right = (sums.argmax(axis=-1) == labels).ravel()[:count]
    return float(right.mean())


def samples(settings: Settings, seed: int, epoch: int) -> Samples:
    """All utterances that are learned, once."""
    return _streams(settings, _drawn(settings, seed, epoch))


def _learned(
    settings: Settings, seed: int, epoch: int, given: Samples, outputs: NDArray[Any]
) -> Record:
    count = CLASSES * (PER_SPEAKER - settings.held)
    return {"train": _right(settings, given, outputs, count)}


def _accuracy(core: Learner, settings: Settings, part: Utterances) -> float:
    given = _streams(settings, part)
    outputs = core.predict(given.x, first=given.first)
    return _right(settings, given, outputs, len(part))


def _look(core: Learner, settings: Settings, seed: int, epoch: int) -> Record:
    looked = settings.held and ((epoch + 1) % 10 == 0 or epoch + 1 == settings.epochs)
    return {"valid": _accuracy(core, settings, _parts(settings)[1]) if looked else None}


def _test(core: Learner, settings: Settings, seed: int) -> float:
    """Of the test utterances; where some were held back, of those: the test set is for the end."""
    part = _parts(settings)[1] if settings.held else test_part()
    return _accuracy(core, settings, part)


def _absent(settings: Settings) -> dict[str, str]:
    return {} if settings.held else {"valid": "no utterances are held back; give --held"}


JAPANESE_VOWELS = Task(
    name="japanese-vowels",
    help="Recognise nine speakers by how they say a vowel.",
    title=lambda s: f"JapaneseVowels, rule {s.rule}",
    measure="accuracy",
    series=("train", "valid"),
    settings=Settings,
    network=network,
    machine=machine,
    start=started(network),
    samples=samples,
    learned=_learned,
    look=_look,
    test=_test,
    steps=lambda s: -(-CLASSES * (PER_SPEAKER - s.held) // s.streams) * LENGTH,
    rate=lambda settings, epoch: settings.eta * settings.cosine(epoch),
    absent=_absent,
)
command = command_of(JAPANESE_VOWELS)
