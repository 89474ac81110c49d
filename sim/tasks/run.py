# SPDX-License-Identifier: Apache-2.0
"""Learn a task on a device, epoch by epoch, with a record and a checkpoint after each."""

import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.host import campaign
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.host.files import write_record
from antevolt.host.version import version
from antevolt.sim.tasks.float_core import CALL, open_core
from antevolt.sim.tasks.learner import Learner
from antevolt.sim.tasks.setting import settled
from antevolt.sim.tasks.task import Record, Samples, Settings, Task

__all__ = ["commit", "compare", "learn"]

CHUNKS = {"rtl": 64}  # steps between two looks at `stop`
CHUNK = 1800  # of a model

Progress = Callable[[int], None]


@cache
def commit() -> str:
    """Of the checkout when this process first asked: what it runs was loaded by then."""
    return campaign.commit()


def learn(
    task: Task,
    settings: Settings,
    seed: int,
    folder: Path,
    progress: Progress | None = None,
    until: float = math.inf,
    stop: threading.Event | None = None,
    more: Sequence[str] = (),
    measured: bool = True,
    heard: Callable[[Record], None] | None = None,
) -> Record:
    """Learn, or go on where a run in this folder was left, and return its record.

    progress  is told the epochs that are done;  until  `time.monotonic()` after which no epoch is
    begun;  stop  ends it within an epoch, with InterruptedError;  more  names of `task.more`;
    measured  False: `test` is left alone;  heard  is told the figures of each new epoch

    After every epoch the record (`seed-N.json`) and a checkpoint are written; a run that goes on is
    equal in every bit to one that was never left. `test` is measured when the last epoch is done;
    until then the record has none. Raises BadInput for a folder with a run of other settings.
    """
    record = _begun(settings, seed, folder)
    epochs = record["epochs"]
    if progress is not None:
        progress(len(epochs))
    wanted = [name for name in more if name not in record]
    if (record["test"] is not None and not wanted) or time.monotonic() > until:
        return record
    machine, network = task.machine(settings), task.network(settings, seed)
    with open_core(settings.device, machine) as core:
        core.load(network, task.start(settings, seed))
        record["implementation"] = core.implementation
        if isinstance(core, Device):
            record["cycles_of_a_step"] = {
                "learning": core.image.timetable.cycles_learning,
                "plain": core.image.timetable.cycles_plain,
            }
        if epochs:
            core.restore(folder / record["checkpoint"])
        while len(epochs) < settings.epochs and time.monotonic() < until:
            epochs.append(_epoch(task, core, settings, seed, len(epochs), stop))
            record["seconds"] += epochs[-1]["seconds"]
            if measured and len(epochs) == settings.epochs:
                record["test"] = task.test(core, settings, seed)
            _keep(core, record, folder)
            if progress is not None:
                progress(1)
            if heard is not None:
                heard(epochs[-1])
        if record["test"] is not None and wanted:
            for name in wanted:
                record[name] = task.more[name][1](core, settings, seed)
            _write(record, folder)
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
        told = settled(type(settings), found["settings"])
        same = told == fresh["settings"] and set(found) >= set(fresh)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BadFile(f"{path} is no record of a run: {error}; remove it to start anew") from error
    if not same:
        raise BadInput(f"{path} is a run of other settings; give another --out, or remove it")
    return found


def _keep(core: Learner, record: Record, folder: Path) -> None:
    """Write a checkpoint, then the record that names it, then remove the one before."""
    before, name = record["checkpoint"], f"seed-{record['seed']}-{len(record['epochs'])}"
    record["checkpoint"] = f"{name}.safetensors"
    core.save(folder / record["checkpoint"])
    _write(record, folder)
    if before is not None:
        (folder / before).unlink(missing_ok=True)


def _write(record: Record, folder: Path) -> None:
    write_record(folder / f"seed-{record['seed']}.json", record)


def _epoch(
    task: Task,
    core: Learner,
    settings: Settings,
    seed: int,
    epoch: int,
    stop: threading.Event | None,
) -> Record:
    began, before = time.monotonic(), core.counters()
    eta = None if task.rate is None else core.set_eta(None, task.rate(settings, epoch))
    samples = task.samples(settings, seed, epoch)
    outputs = _stream(core, samples, CHUNKS.get(settings.device, CHUNK), stop)
    after = core.counters()
    counted = {name: after[name] - before[name] for name in ("steps", "busy", "slots")}
    for kinds in ("saturated", "saturated_on_host"):
        counted[kinds] = {k: after[kinds][k] - before[kinds][k] for k in after[kinds]}
    state, network = core.state_dict(), core.network
    largest = [
        np.abs(state[f"projection.{k}.weight"]).max() for k in range(len(network.projections))
    ]
    errors = [state[f"population.{l}.e"] for l in range(1, len(network.populations) + 1)]
    return {
        "epoch": epoch + 1,
        "eta": eta,
        **task.learned(settings, seed, epoch, samples, outputs),
        **task.look(core, settings, seed, epoch),
        "seconds": time.monotonic() - began,
        "largest_weight": float(max(largest)),
        "rms_error": [float(np.sqrt(np.mean(np.square(e)))) for e in errors],
        "counters": counted,
    }


def _stream(
    core: Learner,
    samples: Samples,
    chunk: int,
    stop: threading.Event | None,
    progress: Progress | None = None,
) -> NDArray[np.float64]:
    """The outputs [T, S, n]; `progress` is told of every step."""
    x, y, first, valid, target_valid, learning = samples
    found = core.stream(
        x, y, learning, first=first, valid=valid, target_valid=target_valid, chunk=chunk
    )
    outputs = np.empty(y.shape)
    for n, values in enumerate(found):
        outputs[n] = values
        if progress is not None:
            progress(1)
        if n % chunk == 0 and stop is not None and stop.is_set():
            raise InterruptedError("the run was stopped")
    return outputs


def compare(
    task: Task,
    settings: Settings,
    seed: int,
    steps: int,
    progress: Callable[[str], Progress] | None = None,
) -> Record:
    """Learn the first steps on the device and on the model: words compared, and bits that differ.

    Compared are the outputs of every step and, in the end, all weights, moments and states.
    `progress` of a device is told the steps that it has done.
    Raises BadInput for the float model, whose bits are others.
    """
    if settings.device == "float":
        raise BadInput("the float model has no bits in common with the model; compare a device")
    samples = task.samples(settings, seed, 0).head(steps)
    found = []
    for name in (settings.device, "model"):
        chosen = replace(settings, device=name)
        with open_device(name, machine=task.machine(chosen), deadline=CALL) as core:
            core.load(task.network(chosen, seed), task.start(chosen, seed))
            told = None if progress is None else progress(name)
            began = time.monotonic()
            outputs = _stream(core, samples, 8, None, told)
            seconds = time.monotonic() - began
            raw = [core.machine.formats.r.to_raw(outputs).reshape(-1)]
            state = core.state_dict()
            cycles = core.counters()["busy"]
        names = sorted(n for n in state if n.endswith(".raw") or n.startswith("register."))
        raw += [np.asarray(state[n], dtype=np.int64).reshape(-1) for n in names]
        found.append((np.concatenate(raw), cycles, seconds))
    (words, cycles, seconds), (model_words, model_cycles, model_seconds) = found
    result: dict[str, Any] = {
        "task": task.name,
        "device": settings.device,
        "core": task.machine(settings).name,
        "weights": task.network(settings, seed).weight_count,
        "settings": settings.to_dict(),
        "steps": len(samples.x),
        "words_compared": len(words),
        "differing_bits": int(np.bitwise_count(np.bitwise_xor(words, model_words)).sum()),
        "cycles": cycles,
        "cycles_of_the_model": model_cycles,
        "seconds": seconds,
        "seconds_of_the_model": model_seconds,
        "version": version(),
        "commit": commit(),
    }
    return result
