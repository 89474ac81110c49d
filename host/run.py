# SPDX-License-Identifier: Apache-2.0
"""A run over recorded data that can be killed at any moment and resumed, bit for bit the same.

A run lives in a folder:

* `run.json`: what runs: network, data, device, versions; written once
* `checkpoint.safetensors`: the device's state (`checkpoint.py`); its register STEP is the position
* `outputs.f64`: the outputs of all steps so far, float64, little endian, [steps, streams, outputs]
* `log.jsonl`: one line per checkpoint: step, loss, steps per second

Outputs reach the disk before the checkpoint that counts them, and a checkpoint replaces the one
before it whole. So whatever is killed, resuming cuts the outputs to the checkpoint and goes on.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.network import Network, read
from antevolt.host.device import Device
from antevolt.host.files import write_whole
from antevolt.host.version import version

__all__ = ["CHECKPOINT", "LOG", "OUTPUTS", "RUN", "Data", "Progress", "Run", "read_data"]

RUN, CHECKPOINT, OUTPUTS, LOG = "run.json", "checkpoint.safetensors", "outputs.f64", "log.jsonl"
FLAGS = ("valid", "first", "last", "target_valid")


@dataclass(frozen=True)
class Data:
    """Arrays as `Device.stream` takes them, [T, ...], and a digest of them."""

    x: NDArray[Any]
    y: NDArray[Any] | None
    flags: dict[str, NDArray[Any]]
    digest: str

    @property
    def steps(self) -> int:
        return int(self.x.shape[0])

    def part(self, start: int, end: int) -> dict[str, Any]:
        """Arguments of `Device.stream`."""
        flags = {name: value[start:end] for name, value in self.flags.items()}
        y = None if self.y is None else self.y[start:end]
        return {"samples": self.x[start:end], "targets": y, **flags}


@dataclass(frozen=True)
class Progress:
    """Where a run is: loss is the mean squared difference to the targets since the last one."""

    step: int
    steps: int
    loss: float | None
    steps_per_second: float


def read_data(path: Path) -> Data:
    """A file .npz with x [T, S, inputs], and if there are some y [T, S, outputs] and flags [T, S]
    or [T]; what may be left out of the shapes is said in `samples.py`. Raises BadFile."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, EOFError, MemoryError, BadZipFile) as error:
        raise BadFile(f"{path} is not a whole .npz file of numbers: {error}") from error
    unknown = set(arrays) - {"x", "y", *FLAGS}
    if "x" not in arrays or unknown:
        raise BadFile(
            f"{path} has {', '.join(sorted(arrays)) or 'nothing'}; it needs x, and may have y, "
            f"{', '.join(FLAGS)}"
        )
    lengths = {name: array.shape[:1] for name, array in arrays.items()}
    if len(set(lengths.values())) != 1 or () in lengths.values():
        raise BadFile(f"the arrays of {path} differ in their first axis, the steps: {lengths}")
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    flags = {name: arrays[name] for name in FLAGS if name in arrays}
    return Data(arrays["x"], arrays.get("y"), flags, found.hexdigest())


class Run:
    """A run in `folder`, new or (`resume`) from its last checkpoint.

    Raises BadFile for a folder that holds a run when none is to be resumed, that holds none, or
    that holds one of another network, other data or another core.
    """

    def __init__(
        self,
        folder: Path,
        device: Device,
        network: Path,
        data: Data,
        learn: bool,
        resume: bool,
    ):
        self.folder, self.device, self.data, self.learn = folder, device, data, learn
        described, parameters = read(network)
        about = self._about(described)
        if resume:
            self._check(about)
        elif (folder / RUN).exists():
            raise BadFile(f"{folder} holds a run; resume it, or choose another folder")
        device.load(described, parameters)
        self.position = 0
        if resume and (folder / CHECKPOINT).exists():
            device.restore(folder / CHECKPOINT)
            self.position = int(device.state_dict()["register.step"][0])
        if not resume:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / RUN, json.dumps({**about, "version": version()}, indent=1) + "\n")
        self._cut()

    def steps(self, every: int) -> Iterator[Progress]:
        """Run to the end; a checkpoint and a progress after each `every` steps."""
        if every < 1:
            raise BadInput(f"every is {every}; it is a number of steps, 1 or more")
        while self.position < self.data.steps:
            end = min(self.position + every, self.data.steps)
            begin, part = time.monotonic(), self.data.part(self.position, end)
            rows = [r.values for r in self.device.results(learn=self.learn, **part)]
            outputs = np.array(rows, dtype="<f8")
            with (self.folder / OUTPUTS).open("ab") as file:
                file.write(outputs.tobytes())
                _sync(file)
            self.device.save(self.folder / CHECKPOINT)
            rate = (end - self.position) / max(1e-9, time.monotonic() - begin)
            progress = Progress(end, self.data.steps, _loss(outputs, part), rate)
            with (self.folder / LOG).open("a") as log:
                log.write(json.dumps(asdict(progress)) + "\n")
            self.position = end
            yield progress

    def _about(self, network: Network) -> dict[str, Any]:
        return {
            "kind": "antevolt run 1",
            "network": network.fingerprint,
            "data": self.data.digest,
            "core": json.loads(self.device.machine.to_json()),
            "learn": self.learn,
        }

    def _check(self, about: dict[str, Any]) -> None:
        try:
            kept = json.loads((self.folder / RUN).read_text())
        except (OSError, ValueError) as error:
            raise BadFile(f"{self.folder} holds no run to resume: {error}") from error
        wrong = [name for name, value in about.items() if kept.get(name) != value]
        if wrong:
            raise BadFile(f"{self.folder} holds a run that differs in {', '.join(wrong)}")

    def _cut(self) -> None:
        """What came after the checkpoint comes again."""
        sizes = self.device.sizes
        wanted = self.position * sizes.streams * sizes.outputs * 8
        path = self.folder / OUTPUTS
        path.touch()
        if path.stat().st_size < wanted:
            raise BadFile(f"{path} is shorter than its checkpoint says; it was changed")
        os.truncate(path, wanted)


def _loss(outputs: NDArray[Any], part: dict[str, Any]) -> float | None:
    if part["targets"] is None or not outputs.size:
        return None
    return float(np.mean((outputs - np.reshape(part["targets"], outputs.shape)) ** 2))


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
