# SPDX-License-Identifier: Apache-2.0
"""Samples through a device: the outputs of each step, with or without learning from them."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.errors import BadInput, Closed
from antevolt.host.opened import Opened
from antevolt.host.outputs import Output, Sent
from antevolt.host.samples import Batch, Flags, Sample, Sizes, collect, steps_of

__all__ = ["CHUNK", "Streaming"]

CHUNK = 64
"""Steps that `stream` takes from its source at a time."""
SINGLE = (Sample, Mapping)
"""What is one sample, and of no array."""


class Streaming(Opened):
    """The part of a device that runs steps."""

    def stream(
        self,
        samples: ArrayLike | Iterable[Any],
        targets: ArrayLike | None = None,
        learn: ArrayLike = False,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        last: ArrayLike = False,
        target_valid: ArrayLike | None = None,
        chunk: int = CHUNK,
    ) -> Iterator[NDArray[np.float64]]:
        """Stream samples and give the outputs [S, outputs] of each step, as they come.

        In other output modes than every step (`set_outputs`) only what the core puts out: of a
        step, the outputs of the streams that end there, [streams, outputs], or in mode argmax
        their numbers, [streams]; nothing of steps without any. `results` also says which they are.

        samples  an array [T, S, inputs] (see `samples.py` for what may be left out) with `targets`
                 [T, S, outputs] and flags [T, S], [T] or one; or any iterable of samples
                 (`Sample`, mapping, tuple, inputs) that carry theirs; a list or a tuple is an
                 array, unless it begins with a `Sample` or a mapping
        learn    of an array, a flag like the others; of an iterable, one for all samples that do
                 not say
        chunk    steps taken from the source at a time; 1 where the next sample depends on the
                 output. No more than that is ever in memory.

        Nothing runs before the first output is asked for, and the source is read no more than
        `chunk` steps ahead of what was asked for. Arrays are checked wholly before anything is
        sent; of an iterable, the samples before a bad one run, then BadInput is raised. Inputs and
        targets beyond +-8 saturate (`counters()["saturated_on_host"]`).
        """
        found = self.results(
            samples,
            targets,
            learn,
            valid=valid,
            first=first,
            last=last,
            target_valid=target_valid,
            chunk=chunk,
        )
        return (output.values for output in found)

    def results(
        self,
        samples: ArrayLike | Iterable[Any],
        targets: ArrayLike | None = None,
        learn: ArrayLike = False,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        last: ArrayLike = False,
        target_valid: ArrayLike | None = None,
        chunk: int = CHUNK,
    ) -> Iterator[Output]:
        """Like `stream`, with the step and the streams that each output belongs to."""
        if not isinstance(chunk, int) or chunk < 1:
            raise BadInput(f"chunk is {chunk!r}; it is a number of steps, 1 or more")
        flags = Flags(valid, first, last, target_valid, learn)
        sizes = self.sizes
        if isinstance(samples, list | tuple) and samples and isinstance(samples[0], SINGLE):
            samples = iter(samples)
        if isinstance(samples, Iterable) and not isinstance(samples, list | tuple | np.ndarray):
            if targets is not None or flags[:4] != Flags()[:4] or not isinstance(learn, bool):
                raise BadInput(
                    "samples of an iterable carry their own targets and flags; "
                    "give Sample(x, y, ...) for each step"
                )
            return self._outputs(_chunks(sizes, iter(samples), learn, chunk))
        steps = steps_of(sizes, samples, targets, flags)
        parts = (
            steps.batch(start, min(start + chunk, len(steps)))
            for start in range(0, len(steps), chunk)
        )
        return self._outputs(parts)

    def predict(
        self,
        samples: ArrayLike,
        *,
        valid: ArrayLike = True,
        first: ArrayLike = False,
        last: ArrayLike = False,
    ) -> NDArray[np.float64]:
        """The outputs [T, S, outputs] ([T, outputs] where S was left out), leaving no trace.

        In mode every with k > 1, T is the number of steps that put out something; in the modes
        last and sum the result is [sequences, outputs], in mode argmax [sequences], integers: the
        sequences in the order in which they end, those of one step by stream.

        The streams carry on from where they are (or start anew where `first` says so); afterwards
        all memories and the step counter are put back, bit for bit. Counters of `counters` move.
        """
        running = self._ready()
        steps = steps_of(running.sizes, samples, None, Flags(valid, first, last))
        with self._closing():
            mode = Sent.read(self.backend).setting.mode
            snapshot, last_run = running.memory.snapshot(self.backend), running.last
            parts = (steps.batch(a, a + CHUNK) for a in range(0, len(steps), CHUNK))
            rows = [output.values for part in parts for output in running.run(part)]
            running.memory.write(self.backend, snapshot)
            running.last = last_run
        if mode == "argmax":
            return np.concatenate([np.zeros(0, dtype=np.int64), *rows])
        if mode != "every":
            return np.concatenate([np.zeros((0, self.sizes.outputs)), *rows])
        shape = (len(rows), self.sizes.streams, self.sizes.outputs)
        found = np.array(rows, dtype=np.float64).reshape(shape)
        return found[:, 0] if steps.flat else found

    def learn_one(self, x: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        """One learning step of all streams: x [S, inputs], y [S, outputs]; the outputs [S, outputs]
        of the step, computed before the weights change; none in a step that puts out nothing."""
        running = self._ready()
        batch = collect(running.sizes, [Sample(x, y)], 0, learn=True)
        with self._closing():
            rows = [output.values for output in running.run(batch)]
        return rows[-1] if rows else np.zeros((0, self.sizes.outputs))

    def partial_fit(self, samples: ArrayLike, targets: ArrayLike, **flags: ArrayLike) -> Self:
        """Learn from arrays, [T, S, inputs] and [T, S, outputs]; flags as in `stream`."""
        for _ in self.stream(samples, targets, True, **flags):  # type: ignore[arg-type]
            pass
        return self

    def _outputs(self, parts: Iterator[Batch]) -> Iterator[Output]:
        running, done = self._ready(), 0
        for part in parts:
            if running is not self._ready():
                raise Closed("another network was loaded while this stream was under way")
            with self._closing():
                outputs = running.run(part, done)
            done += part.steps * running.inputs.substeps
            yield from outputs


def _chunks(sizes: Sizes, items: Iterator[Any], learn: bool, chunk: int) -> Iterator[Batch]:
    """Batches of up to `chunk` samples; the good ones before a bad one first."""
    step = 0
    while taken := list(islice(items, chunk)):
        try:
            batch = collect(sizes, taken, step, learn)
        except BadInput:
            for k, item in enumerate(taken):
                yield collect(sizes, [item], step + k, learn)  # raises at the bad one
            raise
        yield batch
        step += len(taken)
