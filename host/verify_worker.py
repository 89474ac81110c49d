# SPDX-License-Identifier: Apache-2.0
"""One side of a comparison, in a process of its own.

    python -m antevolt.host.verify_worker DIR PARENT

`DIR` holds what to do (`write_job`): `job.json` and `job.npz`; the worker leaves `result.npz`
(`read_result`) there, and `progress`, the number of steps done. It ends when the process of number
`PARENT` does. Nothing is pickled.
"""

import hashlib
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.host.backend import Backend
from antevolt.host.device import open as open_device
from antevolt.host.model import ModelBackend
from antevolt.host.outputs import OutputSetting, Sent
from antevolt.host.samples import Batch
from antevolt.host.words import word_bits

__all__ = [
    "COMPARED",
    "Fault",
    "Job",
    "Memories",
    "Result",
    "memories",
    "read_result",
    "words_of",
    "write_job",
]

COMPARED = (
    *(Register.STEP, Register.SEED, Register.APPLY_EVERY, Register.LEARNED),
    *(Register.OUTPUT_MODE, Register.OUTPUT_EVERY, Register.OUTPUT_PASSED, Register.OUTPUT_SHIFT),
    *(Register.SLOTS, Register.SATURATED_SUMS),
    *(Register.SATURATED + k for k in range(len(KINDS))),
    *range(Register.CORE_KIND, Register.CORE_FEATURES + 1),
)
"""Registers that are a matter of the program; the others depend on when the streams are ready."""

COUNTED = (Register.BUSY, Register.STALLED_INPUT, Register.STALLED_OUTPUT)

LOOK = 1.0  # seconds from one look after the parent to the next

Memories = dict[Region, NDArray[np.int64]]
"""[units, words] of every region; of the registers the compared ones."""


@dataclass(frozen=True)
class Fault:
    """A bit that is flipped after a step, to see whether the comparison finds it."""

    step: int
    region: str
    unit: int
    index: int
    bit: int


@dataclass(frozen=True)
class Job:
    """What a worker runs.

    checkpoints  steps after which the digests of all memories are kept
    dumps        steps after which the memories themselves are kept, too
    outputs      the output mode
    """

    device: str
    machine: str
    network: str
    deadline: float
    chunk: int
    checkpoints: list[int]
    dumps: list[int] = field(default_factory=list)
    fault: Fault | None = None
    outputs: OutputSetting = field(default_factory=OutputSetting)


@dataclass(frozen=True)
class Result:
    """What a worker found.

    out          [steps, words], output words with their flags; -1 after those that came
    ends         steps at which the parts ended whose cycles were counted
    cycles       [parts], cycles inside steps without those spent waiting for a stream, and the
                 idle cycle before each step
    digests      SHA-256 of all memories, by checkpoint and region
    dumps        memories by step; the last step is always there
    saturations  by kind; the model's also where the machine does not count them
    """

    out: NDArray[np.int64]
    ends: NDArray[np.int64]
    cycles: NDArray[np.int64]
    digests: dict[int, dict[Region, bytes]]
    dumps: dict[int, Memories]
    first: Memories
    saturations: dict[str, int]


def words_of(backend: Backend, region: Region) -> NDArray[np.int64]:
    """All words of a region, [units, words], the bits that count."""
    units, words = size(backend.machine, region)
    rows = [backend.read(region, unit, 0, words) for unit in range(units)]
    found: NDArray[np.int64] = np.stack(rows) & (1 << word_bits(backend.machine, region)) - 1
    return found


def memories(backend: Backend) -> Memories:
    """All memories that a host can read, the bits that count."""
    found: Memories = {}
    for region in Region:
        found[region] = words_of(backend, region)
    found[Region.REGISTERS] = found[Region.REGISTERS][:, list(COMPARED)]
    return found


def digests(found: Memories) -> dict[Region, bytes]:
    """SHA-256 of each region, as little-endian words of 64 bits."""
    return {
        region: hashlib.sha256(words.astype("<i8").tobytes()).digest()
        for region, words in found.items()
    }


def write_job(folder: Path, job: Job, batch: Batch, parameters: Parameters) -> None:
    """Put a job and its samples into an empty folder."""
    (folder / "job.json").write_text(json.dumps(asdict(job)))
    arrays: dict[str, Any] = {"x": batch.x, "y": batch.y, "flags": batch.flags}
    arrays |= {f"parameter {name}": value for name, value in parameters.items()}
    np.savez(folder / "job.npz", **arrays)


def _read_job(folder: Path) -> tuple[Job, Batch, Parameters]:
    values = json.loads((folder / "job.json").read_text())
    fault = values.pop("fault")
    outputs = OutputSetting(**values.pop("outputs"))
    job = Job(**values, fault=Fault(**fault) if fault else None, outputs=outputs)
    with np.load(folder / "job.npz", allow_pickle=False) as file:
        batch = Batch(file["x"], file["y"], file["flags"])
        parameters = {
            name.removeprefix("parameter "): file[name]
            for name in file.files
            if name.startswith("parameter ")
        }
    return job, batch, parameters


def run(job: Job, batch: Batch, parameters: Parameters, progress: Path | None = None) -> Result:
    """Stream the samples through the device in parts that end at every checkpoint."""
    machine, network = Machine.from_json(job.machine), Network.from_json(job.network)
    outputs = machine.total_streams * network.outputs
    stops = {batch.steps, *job.checkpoints, *job.dumps, *range(0, batch.steps, job.chunk)}
    if job.fault is not None:
        stops.add(job.fault.step + 1)
    ends = sorted(s for s in stops if 0 < s <= batch.steps)
    out: list[NDArray[np.int64]] = []
    cycles, kept, dumps = [], {}, {}
    with open_device(job.device, machine=machine, deadline=job.deadline) as device:
        device.load(network, parameters)
        backend = device.backend
        job.outputs.check(machine).write(backend)
        first = memories(backend)
        before, start = _busy(backend), 0
        for end in ends:
            part = Batch(batch.x[start:end], batch.y[start:end], batch.flags[start:end])
            out.append(_outputs(backend, part, network.outputs))
            busy = _busy(backend)
            cycles.append(busy - before + part.steps)
            before, start = busy, end
            if job.fault is not None and end == job.fault.step + 1:
                _flip(backend, job.fault)
            if end in job.checkpoints or end in job.dumps or end == batch.steps:
                found = memories(backend)
                kept[end] = digests(found)
                if end in job.dumps or end == batch.steps:
                    dumps[end] = found
            if progress is not None:
                progress.write_text(str(end))
        saturations = _saturations(backend)
    return Result(
        np.concatenate(out) if out else np.zeros((0, outputs), dtype=np.int64),
        np.array(ends),
        np.array(cycles),
        kept,
        dumps,
        first,
        saturations,
    )


def _outputs(backend: Backend, part: Batch, outputs: int) -> NDArray[np.int64]:
    """Run some steps: `Result.out` of them."""
    x, y = part.words(backend.machine.formats)
    width = backend.machine.total_streams * outputs
    counts = Sent.read(backend).words(part.flags, outputs)
    words = backend.run(x, y, part.steps, width, int(counts.sum()))
    rows = np.full((part.steps, width), -1, dtype=np.int64)
    rows[np.arange(width) < counts[:, None]] = words
    return rows


def _busy(backend: Backend) -> int:
    busy, *waits = (int(backend.read(Region.REGISTERS, 0, r, 1)[0]) for r in COUNTED)
    return busy - sum(waits)


def _saturations(backend: Backend) -> dict[str, int]:
    if isinstance(backend, ModelBackend):
        return backend.core.memories.saturations
    words = backend.read(Region.REGISTERS, 0, Register.SATURATED, len(KINDS))
    return dict(zip(KINDS, map(int, words), strict=True))


def _flip(backend: Backend, fault: Fault) -> None:
    region = Region[fault.region]
    word = int(backend.read(region, fault.unit, fault.index, 1)[0])
    backend.write(region, fault.unit, fault.index, [word ^ 1 << fault.bit])


def _write_result(path: Path, result: Result) -> None:
    arrays: dict[str, Any] = {
        "out": result.out,
        "ends": result.ends,
        "cycles": result.cycles,
        "saturations": np.array([result.saturations[kind] for kind in KINDS]),
    }
    for step, by_region in result.digests.items():
        rows = [np.frombuffer(by_region[region], dtype=np.uint8) for region in Region]
        arrays[f"digest {step}"] = np.stack(rows)
    for step, found in {-1: result.first, **result.dumps}.items():
        for region, words in found.items():
            arrays[f"memory {step} {region.name}"] = words
    np.savez(path, **arrays)


def read_result(path: Path) -> Result:
    """What `python -m antevolt.host.verify_worker` left."""
    kept: dict[int, dict[Region, bytes]] = {}
    dumps: dict[int, Memories] = {}
    with np.load(path, allow_pickle=False) as file:
        for name in file.files:
            kind, *rest = name.split()
            if kind == "digest":
                rows = file[name]
                kept[int(rest[0])] = {r: rows[k].tobytes() for k, r in enumerate(Region)}
            elif kind == "memory":
                dumps.setdefault(int(rest[0]), {})[Region[rest[1]]] = file[name]
        saturations = dict(zip(KINDS, map(int, file["saturations"]), strict=True))
        out, ends, cycles = file["out"], file["ends"], file["cycles"]
    return Result(out, ends, cycles, kept, dumps, dumps.pop(-1), saturations)


def _end_with(parent: int) -> None:
    """Whoever waits for the result may be killed, and then nobody stops this process."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os._exit(3)

    threading.Thread(target=watch, daemon=True).start()


def main(folder: Path, parent: int) -> int:
    """0, or 2 with a message on stderr; ends with the process `parent`, which started it."""
    _end_with(parent)
    try:
        _write_result(folder / "result.npz", run(*_read_job(folder), folder / "progress"))
    except AntevoltError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
