# SPDX-License-Identifier: Apache-2.0
"""Compare a device with the model, bit by bit, while both learn.

Both run the same samples in processes of their own (`verify_worker.py`). Compared are the output
words of every step, the digests of all memories at checkpoints, and every word of every memory at
the end: weights, gradients, u, v, e, r', r, q, outputs, registers and saturation counters.
The cycles of every part are compared with the compiler's count.
At a difference, both run again up to it, with all memories after each step, and the model names
the operation and the neuron (`locate.py`).

A comparison in which little happened proves nothing: `Report.vacuous` says why.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from antevolt.hdl.spec.errors import AntevoltError, DeadlineExceeded
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.host.backend import check_name
from antevolt.host.compile import Image, compile
from antevolt.host.locate import Difference, locate
from antevolt.host.outputs import OutputSetting
from antevolt.host.random_samples import Profile, random_batch, weights
from antevolt.host.samples import Batch, Sizes
from antevolt.host.state import Memory
from antevolt.host.verify_worker import Fault, Job, Result, read_result, write_job

__all__ = ["SATURATED", "Case", "Report", "verify", "words_computed"]

CHANGED = 0.9  # least share of the learnable words that a comparison must change
SATURATED = 0.01  # largest share of words that may saturate in it
STARTING = 1800.0  # seconds that starting may take: a simulator may have to be built
PARTS = 8  # parts that a run is cut into at least
FILTER_WORDS = 8  # per neuron and step: drive, d, u, p, beta, delta, v, e

Progress = Callable[[int], None]
"""Called now and then with the steps that both sides have done."""


@dataclass(frozen=True)
class Case:
    """What to compare: a network on a machine, with random samples of `steps` steps.

    parameters  None: drawn from the seed
    device, model  the two sides, names of devices
    outputs     the output mode
    fault       a planted difference on the model's side, to test the comparison itself
    """

    network: Network
    machine: Machine
    steps: int
    seed: int = 0
    profile: Profile = "normal"
    parameters: Parameters | None = None
    device: str = "rtl"
    model: str = "model"
    checkpoint_every: int = 0  # 0: about eight of them
    deadline: float = 600.0
    fault: Fault | None = None
    outputs: OutputSetting = field(default_factory=OutputSetting)

    @property
    def name(self) -> str:
        sizes = "-".join(map(str, self.network.sizes))
        learning = "" if self.network.apply_every == 1 else f" /{self.network.apply_every}"
        m = self.machine
        filters = "" if m.filters == m.multipliers == 1 else f" F{m.filters} M{m.multipliers}"
        rule = "" if self.network.optimizer == "sgd" else f" {self.network.optimizer}"
        words = f"{m.name}{filters} {sizes} {self.network.schedule}{learning}{rule} {self.profile}"
        return words + ("" if self.outputs == OutputSetting() else f" {self.outputs}")

    def batch(self) -> Batch:
        sizes = Sizes(
            self.machine.total_streams,
            self.network.inputs,
            self.network.outputs,
            self.machine.formats,
        )
        return random_batch(sizes, self.steps, self.seed, self.profile)

    def weights(self) -> Parameters:
        if self.parameters is not None:
            return self.parameters
        return weights(self.network, self.seed, self.profile)


@dataclass(frozen=True)
class Report:
    """What a comparison found.

    words_compared    output words and memory words
    differing_bits    of the outputs and of all memories at the end
    digest            SHA-256 of the model's final memories
    changed           share of the learnable words that learning changed
    saturations       by kind, of the model
    saturated         share of the computed words that saturated
    cycles, compiled  cycles of all steps, with the idle one before each: the device's without
                      those it waited for a stream, and the compiler's count
    cycles_differ_at  last step of the first part in which they differ
    difference        the first one
    vacuous           why the comparison proves nothing
    """

    name: str
    device: str
    seed: int
    steps: int
    words_compared: int
    differing_bits: int
    digest: str
    changed: float
    saturations: dict[str, int]
    saturated: float
    cycles: int
    compiled: int
    cycles_differ_at: int | None
    difference: Difference | None = None
    vacuous: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not (
            self.differing_bits
            or self.difference
            or self.vacuous
            or self.cycles_differ_at is not None
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Report":
        """The inverse, of a comparison that has passed."""
        return cls(**{name: value for name, value in values.items() if name != "passed"})


def verify(case: Case, progress: Progress | None = None) -> Report:
    """Compare. Raises what the devices raise, and DeadlineExceeded."""
    start = time.monotonic()
    for name in (case.device, case.model):
        check_name(name)
    batch, parameters = case.batch(), case.weights()
    image = compile(case.network, case.machine)
    every = case.checkpoint_every or max(1, -(-case.steps // PARTS))
    checkpoints = list(range(every, case.steps, every))
    model, device = _both(case, batch, parameters, checkpoints, [], progress)
    difference = None
    bounds = _first_difference(model, device, checkpoints, case.steps)
    if bounds is not None:
        difference = _search(case, image, batch, parameters, *bounds)
    last_model, last_device = model.dumps[case.steps], device.dumps[case.steps]
    measured, compiled, differ_at = _cycles(case, image, batch, device)
    changed = _changed(case, image, model)
    saturated = sum(model.saturations.values()) / words_computed(case, batch)
    return Report(
        name=case.name,
        device=case.device,
        seed=case.seed,
        steps=case.steps,
        words_compared=int(
            np.count_nonzero(model.out >= 0) + sum(m.size for m in last_model.values())
        ),
        differing_bits=_bits(model.out, device.out)
        + sum(_bits(last_model[r], last_device[r]) for r in Region),
        digest=hashlib.sha256(b"".join(model.digests[case.steps][r] for r in Region)).hexdigest(),
        changed=changed,
        saturations=model.saturations,
        saturated=saturated,
        cycles=measured,
        compiled=compiled,
        cycles_differ_at=differ_at,
        difference=difference,
        vacuous=_vacuous(case, changed, saturated, model.saturations),
        seconds=time.monotonic() - start,
    )


def _vacuous(
    case: Case, changed: float, saturated: float, saturations: dict[str, int]
) -> list[str]:
    reasons = []
    if changed < CHANGED:
        reasons.append(
            f"only {changed:.1%} of the learnable words changed, it takes {CHANGED:.0%}; "
            "run more steps or a larger eta"
        )
    if case.profile == "stress":
        missing = [kind for kind in KINDS if not saturations[kind]]
        if missing:
            reasons.append(f"no saturation of {', '.join(missing)}, and stress needs every kind")
    elif saturated > SATURATED:
        reasons.append(
            f"{saturated:.1%} of the words saturated, more than {SATURATED:.0%}; "
            "choose smaller weights, beta or eta"
        )
    return reasons


def _both(
    case: Case,
    batch: Batch,
    parameters: Parameters,
    checkpoints: list[int],
    dumps: list[int],
    progress: Progress | None = None,
) -> tuple[Result, Result]:
    """Both sides' results, from two processes."""
    with tempfile.TemporaryDirectory(prefix="antevolt-verify-") as name:
        folders = [Path(name) / "model", Path(name) / "device"]
        jobs = []
        for folder, device in zip(folders, (case.model, case.device), strict=True):
            folder.mkdir()
            job = Job(
                device=device,
                machine=case.machine.to_json(),
                network=case.network.to_json(),
                deadline=case.deadline,
                chunk=max(1, min(256, -(-batch.steps // PARTS))),
                checkpoints=checkpoints,
                dumps=dumps,
                outputs=case.outputs,
                fault=case.fault if folder.name == "model" else None,
            )
            write_job(folder, job, batch, parameters)
            errors = (folder / "errors").open("w")
            with errors:
                worker = ("-m", "antevolt.host.verify_worker", str(folder), str(os.getpid()))
                command = [sys.executable, *worker]
                jobs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors))
        try:
            _wait(jobs, folders, case, progress)
        finally:
            for process in jobs:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return read_result(folders[0] / "result.npz"), read_result(folders[1] / "result.npz")


def _wait(
    jobs: "list[subprocess.Popen[bytes]]",
    folders: list[Path],
    case: Case,
    progress: Progress | None,
) -> None:
    seconds = STARTING + PARTS * case.deadline  # which is that of one part
    end = time.monotonic() + seconds
    while any(job.poll() is None for job in jobs):
        if any(job.poll() for job in jobs):
            break  # one has failed
        if time.monotonic() > end:
            raise DeadlineExceeded(f"the comparison took longer than {seconds:g} s")
        if progress is not None:
            progress(min(_steps_done(folder) for folder in folders))
        time.sleep(0.05)
    for job, folder in zip(jobs, folders, strict=True):
        if job.poll():
            tail = (folder / "errors").read_text()[-2000:].strip()
            raise AntevoltError(f"the {folder.name}'s side of the comparison failed: {tail}")


def _steps_done(folder: Path) -> int:
    try:
        return int((folder / "progress").read_text() or 0)
    except OSError:
        return 0


def _first_difference(
    model: Result, device: Result, checkpoints: list[int], steps: int
) -> tuple[int, int] | None:
    """(a, b): equal after step a (a steps done), different after b steps; None: equal."""
    bad = [s for s in (*checkpoints, steps) if model.digests[s] != device.digests[s]]
    rows = np.flatnonzero((model.out != device.out).any(axis=1))
    ends = [*bad[:1], *(int(r) + 1 for r in rows[:1])]
    if not ends:
        return None
    end = min(ends)
    return max([0, *(s for s in checkpoints if s < end)]), end


def _search(
    case: Case, image: Image, batch: Batch, parameters: Parameters, start: int, end: int
) -> Difference:
    """Run again up to the difference, with the memories of every step from `start` on."""
    part = Batch(batch.x[:end], batch.y[:end], batch.flags[:end])
    steps = list(range(max(1, start), end + 1))
    model, device = _both(case, part, parameters, steps, steps)
    for step in steps:
        out_differs = bool((model.out[:step] != device.out[:step]).any())
        if out_differs or model.digests[step] != device.digests[step]:
            return locate(
                Memory(case.network, case.machine, image.layout),
                image.operations,
                step - 1,
                model.dumps[step],
                device.dumps[step],
                (model.out[step - 1], device.out[step - 1]),
            )
    raise AntevoltError(
        f"the difference seen after {end} steps did not come again when run again: "
        "the device is not deterministic"
    )


def _cycles(case: Case, image: Image, batch: Batch, device: Result) -> tuple[int, int, int | None]:
    per_step = _compiled_cycles(case, image, batch)
    compiled, start, differ_at = 0, 0, None
    for end, cycles in zip(device.ends, device.cycles, strict=True):
        expected = int(per_step[start:end].sum())
        compiled += expected
        if differ_at is None and int(cycles) != expected:
            differ_at = int(end) - 1
        start = int(end)
    return int(device.cycles.sum()), compiled, differ_at


def _compiled_cycles(case: Case, image: Image, batch: Batch) -> Raw:
    """[T] cycles of each step: by the targets that come, and whether it applies."""
    learning, targeted = (
        (batch.flags & flags) == flags
        for flags in (Flag.VALID | Flag.LEARN, Flag.VALID | Flag.TARGET_VALID)
    )
    due = np.zeros(batch.steps, dtype=bool)
    learned = 0
    for step in np.flatnonzero(learning.any(axis=1)):
        learned += 1
        if learned >= case.network.apply_every:
            due[step], learned = True, 0
    cycles = cache(image.timetable.cycles)
    pairs = zip(targeted.sum(axis=1).tolist(), due.tolist(), strict=True)
    return np.array([cycles(targets, applies) for targets, applies in pairs], dtype=np.int64)


def _changed(case: Case, image: Image, model: Result) -> float:
    memory = Memory(case.network, case.machine, image.layout)
    before, after = (memory.learnable(m) for m in (model.first, model.dumps[case.steps]))
    return float(np.mean(before != after)) if before.size else 0.0


def words_computed(case: Case, batch: Batch) -> int:
    """Words that a saturator saw: those of the filters, of q, and the weights."""
    valid = int(np.count_nonzero(batch.flags & Flag.VALID))
    neurons = sum(case.network.sizes[1:])
    hidden = sum(case.network.sizes[1:-1])
    applies = batch.steps // case.network.apply_every
    return max(1, valid * (neurons * FILTER_WORDS + hidden) + applies * case.network.weight_count)


def _bits(a: Raw, b: Raw) -> int:
    return int(np.bitwise_count(np.bitwise_xor(a, b).astype(np.uint64)).sum())
