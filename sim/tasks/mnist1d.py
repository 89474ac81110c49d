# SPDX-License-Identifier: Apache-2.0
"""MNIST-1D learned sample by sample in the chip's own arithmetic, by its rule and its optimizer.

Six hidden layers, a third of each instantaneous, the rest leaky integrators. Errors come from leaky
logits, at every step; a prediction is the largest of the logits' sums over a sequence. Streams
start anew with each sequence, and the weights change at its end.
"""

import json
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population
from antevolt.host.campaign import commit
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.host.version import version
from antevolt.sim.tasks.mnist1d_data import (
    CLASSES,
    LENGTH,
    Split,
    test_split,
    train_split,
    valid_split,
)

__all__ = ["Settings", "compare", "learn", "machine", "network", "start"]

ETA = {"sign": 1e-3, "adam": 2e-3}
"""Learning rates of the recipe, at the start."""
CALL = 600.0  # seconds that one call of a device may take

NEVER = 1e17
"""tau_m = tau_r of instantaneous neurons, steps. They are instantaneous at any tau_m = tau_r, since
p = u + (s - u); but s - u is one word long (+-8). With a membrane that never moves from 0 it is s,
which fits; with one that follows at once it is the step from one s to the next, which need not."""

Progress = Callable[[int], None]
Record = dict[str, Any]


@dataclass(frozen=True)
class Settings:
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
    """

    device: str = "model"
    rule: Literal["trace", "gle", "instantaneous"] = "trace"
    optimizer: Literal["sign", "adam"] = "sign"
    eta: float = ETA["sign"]
    epochs: int = 100
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

    @property
    def batches(self) -> int:
        """Changes of the weights in an epoch; sequences that fill no batch wait for the next."""
        return self.train // self.streams

    @property
    def steps(self) -> int:
        """Of an epoch, without looks at `valid`."""
        return self.batches * LENGTH

    def eta_of(self, epoch: int) -> float:
        """Of an epoch, counted from 0."""
        return self.eta * 0.5 * (1 + math.cos(math.pi * (epoch + 0.5) / self.epochs))

    def looks(self, epoch: int) -> bool:
        """Whether `valid` is looked at after an epoch, counted from 0."""
        return (epoch + 1) % self.every == 0 or epoch + 1 == self.epochs

    def to_dict(self) -> Record:
        """As it reads from JSON."""
        values: Record = json.loads(json.dumps(asdict(self)))
        return values


def network(settings: Settings, seed: int) -> Network:
    """The first hidden population is linear, as in the recipe; equal neurons stand together."""
    hidden = []
    for k, size in enumerate(settings.hidden):
        fast = size // 3
        slow = (size - fast + 1) // 2
        leaky = (2.0,) * slow + (4.0,) * (size - fast - slow)
        tau_m, tau_r = leaky + (NEVER,) * fast, (1.0,) * len(leaky) + (NEVER,) * fast
        phi = "tanh" if k else "linear"
        hidden.append(Population(size, phi, tau_m, tau_r, rule=settings.rule, g=settings.g))
    return Network(
        inputs=1,
        populations=(*hidden, Population(CLASSES, "linear", rule="instantaneous")),
        beta=settings.beta,
        cost="cross_entropy",
        softmax_gain=4.0,
        tau_z=8.0,
        optimizer=settings.optimizer,
        momentum=1 - 2.0**-3,
        momentum2=1 - 2.0**-7,
        eta=settings.eta,
        apply_every=LENGTH,
        seed=seed,
    )


def machine(settings: Settings) -> Machine:
    """A core with room for it."""
    return Machine(
        rows=settings.rows,
        streams=settings.streams,
        w_depth=4096,
        r_depth=1024,
        state_depth=2048,
        q_depth=128,
        io_depth=512,
        program_depth=512,
        moments=2 if settings.optimizer == "adam" else 1,
        formats=Formats(word=settings.word),
    )


def start(settings: Settings, seed: int) -> Parameters:
    """Weights in +-1.7 / sqrt(inputs of a neuron), biases in +-1 / sqrt(inputs)."""
    rng = np.random.default_rng(seed)
    drawn: Parameters = {}
    sizes = network(settings, seed).sizes
    for k, (source, target) in enumerate(zip(sizes, sizes[1:], strict=False)):
        drawn[f"{k}.weight"] = rng.uniform(-1.7, 1.7, (target, source)) / math.sqrt(source)
        drawn[f"{k}.bias"] = rng.uniform(-1, 1, target) / math.sqrt(source)
    return drawn


def learn(
    settings: Settings,
    seed: int,
    folder: Path,
    progress: Progress | None = None,
    until: float = math.inf,
    stop: threading.Event | None = None,
) -> Record:
    """Learn, or go on where a run in this folder was left, and return its record.

    progress  is told the epochs that are done;  until  `time.monotonic()` after which no epoch is
    begun;  stop  ends it within an epoch, with InterruptedError

    After every epoch the record (`seed-N.json`) and a checkpoint are written; a run that goes on is
    equal in every bit to one that was never left. `test` is read when the last epoch is done; until
    then the record has none. Raises BadInput for a folder with a run of other settings.
    """
    train, valid = train_split().head(settings.train), valid_split().head(settings.valid)
    record = _begun(settings, seed, folder)
    epochs = record["epochs"]
    if progress is not None:
        progress(len(epochs))
    if record["test"] is not None or time.monotonic() > until:
        return record
    with open_device(settings.device, machine=machine(settings), deadline=CALL) as core:
        core.load(network(settings, seed), start(settings, seed))
        record["implementation"] = core.implementation
        record["cycles_of_a_step"] = {
            "learning": core.image.timetable.cycles_learning,
            "plain": core.image.timetable.cycles_plain,
        }
        if epochs:
            core.restore(folder / record["checkpoint"])
        while len(epochs) < settings.epochs and time.monotonic() < until:
            epochs.append(_epoch(core, settings, seed, len(epochs), train, valid, stop))
            record["seconds"] += epochs[-1]["seconds"]
            if len(epochs) == settings.epochs:
                record["test"] = _accuracy(core, test_split().head(settings.test))
            _keep(core, record, folder)
            if progress is not None:
                progress(1)
    return record


def _begun(settings: Settings, seed: int, folder: Path) -> Record:
    """The record of this run so far."""
    path = folder / f"seed-{seed}.json"
    fresh: Record = {
        "seed": seed,
        "settings": settings.to_dict(),
        "version": version(),
        "commit": commit(),
        "implementation": "",
        "seconds": 0.0,
        "test": None,
        "checkpoint": None,
        "cycles_of_a_step": {},
        "epochs": [],
    }
    if not path.exists():
        return fresh
    try:
        found: Record = json.loads(path.read_text())
        same = found["settings"] == fresh["settings"] and set(found) == set(fresh)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadFile(f"{path} is no record of a run: {error}; remove it to start anew") from error
    if not same:
        raise BadInput(f"{path} is a run of other settings; give another --out, or remove it")
    return found


def _keep(core: Device, record: Record, folder: Path) -> None:
    """Write a checkpoint, then the record that names it, then remove the one before."""
    before, name = record["checkpoint"], f"seed-{record['seed']}-{len(record['epochs'])}"
    record["checkpoint"] = f"{name}.safetensors"
    core.save(folder / record["checkpoint"])
    path = folder / f"seed-{record['seed']}.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(part, path)
    if before is not None:
        (folder / before).unlink(missing_ok=True)


def _epoch(
    core: Device,
    settings: Settings,
    seed: int,
    epoch: int,
    train: Split,
    valid: Split,
    stop: threading.Event | None,
) -> Record:
    """Every sequence once, in an order and a variation that follow from seed and epoch."""
    began, before = time.monotonic(), core.counters()
    eta = core.set_eta(None, settings.eta_of(epoch))
    x, y = _varied(settings, seed, epoch, train)
    targets = np.repeat(np.eye(CLASSES)[y][:, None], LENGTH, axis=1)
    right, sums = 0, np.zeros((settings.streams, CLASSES))
    first = np.arange(settings.steps) % LENGTH == 0
    stream = core.stream(
        _stepwise(x[..., None], settings.streams),
        _stepwise(targets, settings.streams),
        True,
        first=first,
        chunk=LENGTH * (1 if settings.device == "rtl" else 25),
    )
    labels = y.reshape(-1, settings.streams)
    for n, outputs in enumerate(stream):
        sums += outputs
        if n % LENGTH == LENGTH - 1:
            right += int((sums.argmax(axis=1) == labels[n // LENGTH]).sum())
            sums = np.zeros_like(sums)
            if stop is not None and stop.is_set():
                raise InterruptedError("the run was stopped")
    after = core.counters()
    counted = {name: after[name] - before[name] for name in ("steps", "busy", "slots")}
    for kinds in ("saturated", "saturated_on_host"):
        counted[kinds] = {k: after[kinds][k] - before[kinds][k] for k in after[kinds]}
    state = core.state_dict()
    return {
        "epoch": epoch + 1,
        "eta": eta,
        "train": right / len(y),
        "valid": _accuracy(core, valid) if settings.looks(epoch) else None,
        "seconds": time.monotonic() - began,
        "largest_weight": max(
            float(np.abs(state[f"projection.{k}.weight"]).max())
            for k in range(len(core.network.projections))
        ),
        "rms_error": [
            float(np.sqrt(np.mean(np.square(state[f"population.{l}.e"]))))
            for l in range(1, len(core.network.populations) + 1)
        ],
        "counters": counted,
    }


def _varied(
    settings: Settings, seed: int, epoch: int, train: Split
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The sequences of an epoch: a permutation, each a little stronger or weaker and tilted."""
    rng = np.random.default_rng((seed, epoch))
    order = rng.permutation(len(train))[: settings.batches * settings.streams]
    factor = 1 + settings.amplitude * rng.uniform(-1, 1, (len(order), 1))
    tilt = settings.ramp * rng.uniform(-1, 1, (len(order), 1))
    return train.x[order] * factor + tilt * np.linspace(-1, 1, LENGTH), train.y[order]


def _stepwise(sequences: NDArray[np.float64], streams: int) -> NDArray[np.float64]:
    """[n, LENGTH, units] as steps [n LENGTH / streams, streams, units]."""
    units = sequences.shape[-1]
    batches = sequences.reshape(-1, streams, LENGTH, units)
    return batches.swapaxes(1, 2).reshape(-1, streams, units)


def _accuracy(core: Device, split: Split) -> float:
    """The share of sequences whose largest sum of logits is that of their class."""
    streams = core.machine.total_streams
    missing = -len(split) % streams
    x = np.concatenate([split.x, np.zeros((missing, LENGTH))])
    first = np.arange(len(x) // streams * LENGTH) % LENGTH == 0
    outputs = core.predict(_stepwise(x[..., None], streams), first=first)
    sums = outputs.reshape(-1, LENGTH, streams, CLASSES).sum(axis=1).reshape(-1, CLASSES)
    return float((sums[: len(split)].argmax(axis=1) == split.y).mean())


def compare(settings: Settings, seed: int, batches: int) -> Record:
    """Learn some batches on the device and on the model: words compared, and bits that differ.

    Compared are the outputs of every step and, in the end, all weights, moments and states.
    """
    batches = min(batches, settings.batches)
    count = batches * settings.streams
    x, y = _varied(settings, seed, 0, train_split().head(settings.train))
    targets = np.repeat(np.eye(CLASSES)[y[:count]][:, None], LENGTH, axis=1)
    steps = batches * LENGTH
    found = []
    for name in (settings.device, "model"):
        chosen = replace(settings, device=name)
        with open_device(name, machine=machine(chosen), deadline=CALL) as core:
            core.load(network(chosen, seed), start(chosen, seed))
            outputs = list(
                core.stream(
                    _stepwise(x[:count, :, None], settings.streams),
                    _stepwise(targets, settings.streams),
                    True,
                    first=np.arange(steps) % LENGTH == 0,
                    chunk=8,
                )
            )
            raw = [core.machine.formats.r.to_raw(outputs).reshape(-1)]
            state = core.state_dict()
            cycles = core.counters()["busy"]
        names = sorted(n for n in state if n.endswith(".raw") or n.startswith("register."))
        raw += [np.asarray(state[n], dtype=np.int64).reshape(-1) for n in names]
        found.append((np.concatenate(raw), cycles))
    (words, cycles), (model_words, model_cycles) = found
    return {
        "device": settings.device,
        "core": machine(settings).name,
        "weights": network(settings, seed).weight_count,
        "batches": batches,
        "steps": steps,
        "words_compared": len(words),
        "differing_bits": int(np.bitwise_count(np.bitwise_xor(words, model_words)).sum()),
        "cycles": cycles,
        "cycles_of_the_model": model_cycles,
        "version": version(),
        "commit": commit(),
    }
