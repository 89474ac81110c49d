# SPDX-License-Identifier: Apache-2.0
"""A run over recorded data that can be killed at any moment and resumed, bit for bit the same.

A run lives in a folder (`run_folder.py`). Outputs, taps and log reach the disk before the
checkpoint that counts them, and a checkpoint replaces the one before it whole. So whatever is
killed, resuming cuts them to the checkpoint and goes on.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.network import Network, read
from antevolt.host import run_log
from antevolt.host.device import CHUNK, Device
from antevolt.host.files import held, make_folder, write_record
from antevolt.host.gauges import Gauges, Reading
from antevolt.host.rows import Rows
from antevolt.host.run_check import checked_about
from antevolt.host.run_data import Data
from antevolt.host.run_folder import CHECKPOINT, KIND, LOG, OUTPUTS, RUN, START, TAPS, circumstances
from antevolt.host.samples import Sizes
from antevolt.host.score import Score
from antevolt.host.taps import Taps

__all__ = ["Progress", "Run", "Watch"]

SHOWN = 0.1
"""Seconds from one call of a `Watch` to the next."""
Watch = Callable[[int, Score], None]
"""Called now and then with the steps done and the score since the last checkpoint."""


@dataclass(frozen=True)
class Progress:
    """Where a run is; loss and accuracy (`score.py`) are of the steps since the last one."""

    step: int
    steps: int
    loss: float | None
    accuracy: float | None
    steps_per_second: float
    reading: Reading

    def to_dict(self) -> dict[str, Any]:
        """As in the log."""
        own = {n: getattr(self, n) for n in ("step", "steps", "loss", "accuracy")}
        return {**own, "steps_per_second": self.steps_per_second, **self.reading.to_dict()}


class Run:
    """A run in `folder`, new or (`resume`) from its last checkpoint; nobody else's until `close`,
    or the end of its `with`.

    tapped, tap_every  what is recorded beside the outputs, and how often (`taps.py`)

    Raises BadFile for a folder that holds a run when none is to be resumed, that holds none, that
    holds one of another network, other data, another core or other taps, or one that is under way;
    BadInput, before a folder is made, for data that the network cannot be fed with.
    """

    def __init__(
        self,
        folder: Path,
        device: Device,
        network: Path,
        data: Data,
        learn: bool,
        resume: bool,
        tapped: Iterable[str] = (),
        tap_every: int = 100,
    ):
        self.folder, self.device, self.data, self.learn = folder, device, data, learn
        described, parameters = read(network)
        about = self._about(described) | {"taps": sorted(tapped), "tap_every": tap_every}
        if resume:
            self._check(about)
        data.check(Sizes.of(described, device.machine))
        device.load(described, parameters)
        self.taps = Taps.chosen(about["taps"], tap_every, device)
        sizes = device.sizes
        self._outputs = Rows(folder / OUTPUTS, sizes.streams * sizes.outputs)
        self._tapped = Rows(folder / TAPS, self.taps.width)
        if not resume:
            make_folder(folder)
        self._held = held(folder / OUTPUTS)
        try:
            if not resume:
                about |= {"tapped": list(self.taps.shapes)}
                self._begin(about | circumstances(device, network, data.steps))
            self.position = self._restore()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Somebody else may go on with it."""
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def steps(self, every: int, watch: Watch | None = None) -> Iterator[Progress]:
        """Run to the end; a checkpoint and a progress after each `every` steps."""
        if every < 1:
            raise BadInput(f"every is {every}; it is a number of steps, 1 or more")
        gauges = Gauges(self.device)
        while self.position < self.data.steps:
            end = min(self.position + every, self.data.steps)
            begin, score = time.monotonic(), Score(self.device.network)
            outputs, tapped = self._run(end, score, watch)
            self._outputs.append(outputs)
            if len(tapped):
                self._tapped.append(tapped)
            rate = (end - self.position) / max(1e-9, time.monotonic() - begin)
            found = score.loss, score.accuracy, rate, gauges.look()
            progress = Progress(end, self.data.steps, *found)
            run_log.append(self.folder / LOG, progress.to_dict())
            self.device.save(self.folder / CHECKPOINT)
            self.position = end
            yield progress

    def _run(
        self, end: int, score: Score, watch: Watch | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The outputs [steps, numbers] up to `end`, and the taps [readings, numbers]."""
        sizes, position = self.device.sizes, self.position
        outputs = np.zeros((end - position, sizes.streams, sizes.outputs))
        tapped: list[NDArray[np.float64]] = []
        scored, shown = position, time.monotonic()
        while position < end:
            stop = self._stop(position, end)
            results = self.device.results(learn=self.learn, **self.data.part(position, stop))
            for step, result in enumerate(results, position + 1):
                outputs[step - 1 - self.position] = result.values
                if watch is None or step % CHUNK or time.monotonic() - shown < SHOWN:
                    continue
                self._add(score, outputs, scored, step)
                watch(step, score)
                scored, shown = step, time.monotonic()
            position = stop
            if self.taps.width and position % self.taps.every == 0:
                tapped.append(self.taps.read(self.device))
        self._add(score, outputs, scored, end)
        return outputs.reshape(len(outputs), -1), np.array(tapped)

    def _stop(self, position: int, end: int) -> int:
        """Where taps are read next, or the end."""
        if not self.taps.width:
            return end
        return min(end, (position // self.taps.every + 1) * self.taps.every)

    def _add(self, score: Score, outputs: NDArray[np.float64], start: int, end: int) -> None:
        """The steps start .. end - 1 of the run, to the score."""
        part = self.data.part(start, end)
        own = outputs[start - self.position : end - self.position]
        score.add(own, part["targets"], {n: part[n] for n in self.data.flags})

    def _begin(self, about: dict[str, Any]) -> None:
        if (self.folder / RUN).exists():
            raise BadFile(f"{self.folder} holds a run; resume it, or choose another folder")
        (self.folder / CHECKPOINT).unlink(missing_ok=True)  # of a run that is none any more
        self.device.save(self.folder / START)
        write_record(self.folder / RUN, about)

    def _restore(self) -> int:
        """The last checkpoint, if there is one; its step, to which all else is cut."""
        position = 0
        if (self.folder / CHECKPOINT).exists():
            self.device.restore(self.folder / CHECKPOINT)
            position = int(self.device.state_dict()["register.step"][0])
        self._outputs.cut(position)
        if self.taps.width:
            self._tapped.cut(position // self.taps.every)
        run_log.cut(self.folder / LOG, position)
        return position

    def _about(self, network: Network) -> dict[str, Any]:
        return {
            "kind": KIND,
            "network": network.fingerprint,
            "data": self.data.digest,
            "core": json.loads(self.device.machine.to_json()),
            "learn": self.learn,
        }

    def _check(self, about: dict[str, Any]) -> None:
        kept = checked_about(self.folder / RUN, KIND)
        wrong = [name for name, value in about.items() if kept[name] != value]
        if wrong:
            raise BadFile(
                f"{self.folder} holds a run that differs in {', '.join(wrong)}; resume it with "
                "what it began with, or begin another one in another folder"
            )
