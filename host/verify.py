# SPDX-License-Identifier: Apache-2.0
"""Compare a device with the model, bit by bit, while both learn.

Both run the same samples in processes of their own (`both_sides.py`). Compared are the output
words of every step, the digests of all memories at checkpoints, and every word of every memory at
the end: weights, gradients, u, v, e, r', r, q, outputs, registers and saturation counters.
The cycles of every part are compared with the compiler's count.
At a difference, both run again up to it, with all memories after each step, and the model names
the operation and the neuron (`locate.py`).

A comparison in which little happened proves nothing: `Report.vacuous` says why.
"""

import hashlib
import time
from functools import cache

import numpy as np

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import Parameters
from antevolt.host.backend import check_name
from antevolt.host.both_sides import PARTS, Progress, both
from antevolt.host.comparison import Case, Report, vacuous, words_computed
from antevolt.host.compile import Image, compile
from antevolt.host.locate import Difference, locate
from antevolt.host.samples import Batch
from antevolt.host.state import Memory
from antevolt.host.verify_worker import Result

__all__ = ["verify"]


def verify(case: Case, progress: Progress | None = None) -> Report:
    """Compare. Raises what the devices raise, and DeadlineExceeded."""
    start = time.monotonic()
    for name in (case.device, case.model):
        check_name(name)
    batch, parameters = case.batch(), case.weights()
    image = compile(case.network, case.machine)
    every = case.checkpoint_every or max(1, -(-case.steps // PARTS))
    checkpoints = list(range(every, case.steps, every))
    model, device = both(case, batch, parameters, checkpoints, [], progress)
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
        vacuous=vacuous(case, changed, saturated, model.saturations),
        seconds=time.monotonic() - start,
    )


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
    model, device = both(case, part, parameters, steps, steps)
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


def _bits(a: Raw, b: Raw) -> int:
    return int(np.bitwise_count(np.bitwise_xor(a, b).astype(np.uint64)).sum())
