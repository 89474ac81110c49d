# SPDX-License-Identifier: Apache-2.0
"""Samples: what a stream is fed with, checked, rounded to the core's formats and packed to words.

An array holds T steps as `[T, S, n]`; with one stream `[T, n]` will do, and with one stream and
one unit `[T]`. An iterator gives one sample per step: a `Sample`, a mapping with the names of its
fields, a tuple of its fields in order, or just the inputs, each `[S, n]` (`[n]`, or a number). So
does a list, or a tuple, that begins with a `Sample` or a mapping.

**Refused** (BadInput, before anything of it is sent): shapes that do not fit, numbers that are not
finite, dtypes other than boolean, integer and real, flags other than true and false, a target_valid
without a target.
**Saturated** and counted: finite inputs and targets beyond the format r (+-8).
Numbers are rounded to the nearest multiple of the format's least bit, ties up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec import checks
from antevolt.hdl.spec.errors import BadInput, BadNetwork
from antevolt.hdl.spec.flags import TARGETED, Flag
from antevolt.hdl.spec.formats import Formats, QFormat, Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network

__all__ = ["Batch", "Flags", "Sample", "Sizes", "Steps", "collect", "real_array", "steps_of"]

FLAGS = ("valid", "first", "last", "target_valid", "learn")
BITS = {name: Flag[name.upper()] for name in FLAGS}


class Sample(NamedTuple):
    """One step of all streams: x [S, inputs], y [S, outputs] or None; flags [S] or for all.

    valid         False: the stream is frozen in this step
    first         True: the stream starts from the zero state
    last          True: passed through to the output
    target_valid  None: where there is a y
    learn         None: what the call says
    """

    x: ArrayLike
    y: ArrayLike | None = None
    valid: ArrayLike = True
    first: ArrayLike = False
    last: ArrayLike = False
    target_valid: ArrayLike | None = None
    learn: ArrayLike | None = None


class Flags(NamedTuple):
    """Flags for arrays of samples: `[T, S]`, `[T]` or one for all; target_valid as in `Sample`."""

    valid: ArrayLike = True
    first: ArrayLike = False
    last: ArrayLike = False
    target_valid: ArrayLike | None = None
    learn: ArrayLike = False


@dataclass(frozen=True)
class Sizes:
    """What one step holds: streams S, units per stream, and the formats."""

    streams: int
    inputs: int
    outputs: int
    formats: Formats

    @classmethod
    def of(cls, network: Network, machine: Machine) -> Self:
        return cls(machine.total_streams, network.inputs, network.outputs, machine.formats)


@dataclass(frozen=True)
class Batch:
    """Steps ready to be packed.

    x      [T, S, inputs], raw integers in format r
    y      [T, S, outputs], likewise; zero where there is no target
    flags  [T, S], see `hdl/spec/flags.py`
    saturated_inputs, saturated_targets  numbers that were beyond the format
    """

    x: Raw
    y: Raw
    flags: Raw
    saturated_inputs: int = 0
    saturated_targets: int = 0

    @property
    def steps(self) -> int:
        return len(self.x)

    def words(self, formats: Formats) -> tuple[Raw, Raw]:
        """The words of the x and y ports, flat, in the order the core takes them."""
        mask = (1 << formats.word) - 1
        x = self.x & mask
        x[:, :, 0] |= self.flags << formats.word
        y = (self.y & mask)[self.flags & TARGETED == TARGETED]
        return x.ravel(), y.ravel()


@dataclass(frozen=True)
class Steps:
    """Checked arrays of samples, not converted yet: `batch(a, b)` converts the steps a..b-1."""

    sizes: Sizes
    x: NDArray[Any]
    y: NDArray[Any] | None
    flags: Raw
    flat: bool

    def __len__(self) -> int:
        return len(self.x)

    def batch(self, start: int, stop: int) -> Batch:
        s, fmt = self.sizes, self.sizes.formats.r
        flags = self.flags[start:stop]
        raw_x, over_x = _to_raw(self.x[start:stop], fmt, "samples", start)
        if self.y is None:
            raw_y = np.zeros((len(flags), s.streams, s.outputs), dtype=np.int64)
            return Batch(raw_x, raw_y, flags, over_x)
        raw_y, over_y = _to_raw(self.y[start:stop], fmt, "targets", start)
        return Batch(raw_x, raw_y, flags, over_x, over_y)


def real_array(name: str, value: ArrayLike, wants: str) -> NDArray[Any]:
    """`value` as an array of booleans, integers or reals; raises BadInput for anything else.

    wants  what was expected, for the message
    """
    try:
        return checks.real_array(name, value, wants)
    except BadNetwork as error:
        raise BadInput(str(error)) from error


def steps_of(
    sizes: Sizes,
    samples: ArrayLike,
    targets: ArrayLike | None = None,
    flags: Flags | None = None,
) -> Steps:
    """Check arrays of samples, wholly. Raises BadInput naming the place and what was expected."""
    flags = flags or Flags()
    x, flat = _shaped("samples", samples, sizes.streams, sizes.inputs, None)
    y = None
    if targets is not None:
        y, _ = _shaped("targets", targets, sizes.streams, sizes.outputs, len(x))
    shape = (len(x), sizes.streams)
    has_target = y is not None
    values = flags._replace(
        target_valid=has_target if flags.target_valid is None else flags.target_valid,
    )
    word = np.zeros(shape, dtype=np.int64)
    for name in FLAGS:
        word |= _flag(name, getattr(values, name), shape) * int(BITS[name])
    _check_targets(word, has_target, "")
    return Steps(sizes, x, y, word, flat)


def collect(sizes: Sizes, items: list[Any], first_step: int, learn: bool) -> Batch:
    """The batch of some per-step samples of an iterator.

    Raises BadInput naming the step counted from `first_step`.
    """
    fmt, s = sizes.formats.r, sizes
    count = len(items)
    x = np.zeros((count, s.streams, s.inputs), dtype=np.int64)
    y = np.zeros((count, s.streams, s.outputs), dtype=np.int64)
    words = np.zeros((count, s.streams), dtype=np.int64)
    over_x = over_y = 0
    for k, item in enumerate(items):
        where = f"step {first_step + k}: "
        sample = _sample(item, where)
        value = _one(f"{where}x", sample.x, s.streams, s.inputs)
        x[k], over = _to_raw(value, fmt, f"{where}x")
        over_x += over
        has_target = sample.y is not None
        if sample.y is not None:
            value = _one(f"{where}y", sample.y, s.streams, s.outputs)
            y[k], over = _to_raw(value, fmt, f"{where}y")
            over_y += over
        defaults = {"target_valid": has_target, "learn": learn}
        for name in FLAGS:
            given = getattr(sample, name)
            given = defaults[name] if given is None else given
            words[k] |= _flag(f"{where}{name}", given, (s.streams,)) * int(BITS[name])
        _check_targets(words[k], has_target, where)
    return Batch(x, y, words, over_x, over_y)


def _sample(item: Any, where: str) -> Sample:
    if isinstance(item, Sample):
        return item
    if isinstance(item, Mapping):
        unknown = sorted(str(key) for key in item if key not in Sample._fields)
        if unknown or "x" not in item:
            raise BadInput(
                f"{where}the sample has {', '.join(unknown) or 'no x'}; "
                f"its names are {', '.join(Sample._fields)}, and x must be there"
            )
        return Sample(**item)
    if isinstance(item, tuple):
        if not 1 <= len(item) <= len(Sample._fields):
            raise BadInput(
                f"{where}the sample is a tuple of {len(item)}; its fields are "
                f"{', '.join(Sample._fields)}, in this order, and x must be there"
            )
        return Sample(*item)
    return Sample(item)


def _shaped(
    name: str, value: ArrayLike, streams: int, units: int, steps: int | None
) -> tuple[NDArray[Any], bool]:
    """`value` as [T, S, n], and whether S had been left out; finite throughout."""
    length = "T" if steps is None else str(steps)
    wants = f"[{length}, {streams}, {units}]"
    if streams == 1:
        wants += f" or [{length}, {units}]"
        if units == 1:
            wants += f" or [{length}]"
    array = real_array(name, value, wants)
    given = array.shape
    flat = array.ndim < 3
    if array.ndim == 1 and streams == units == 1:
        array = array[:, None]
    if array.ndim == 2 and streams == 1:
        array = array[:, None, :]
    if array.ndim != 3 or array.shape[1:] != (streams, units) or steps not in (None, len(array)):
        raise BadInput(f"{name} has shape {_show(given)}; expected {wants}")
    for start in range(0, len(array), 4096):  # in parts: no second copy of a long array
        _check_finite(name, array[start : start + 4096], start)
    return array, flat


def _one(name: str, value: ArrayLike, streams: int, units: int) -> NDArray[Any]:
    """The numbers of one step as [S, n]."""
    wants = f"[{streams}, {units}]"
    if streams == 1:
        wants += f" or [{units}]"
        if units == 1:
            wants += " or a number"
    array = real_array(name, value, wants)
    given = array.shape
    if array.ndim == 0 and streams == units == 1:
        array = array[None]
    if array.ndim == 1 and streams == 1:
        array = array[None]
    if array.shape != (streams, units):
        raise BadInput(f"{name} has shape {_show(given)}; expected {wants}")
    return array


def _flag(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Raw:
    *head, streams = shape
    wants = " or ".join([f"[{', '.join(map(str, shape))}]", *(f"[{t}]" for t in head), "one"])
    array = real_array(name, value, f"{wants} of true and false")
    if array.ndim == 1 and head:
        array = array[:, None]
    if array.ndim and (array.shape[0] != shape[0] or array.shape[-1] not in (1, streams)):
        raise BadInput(f"{name} has shape {_show(np.shape(value))}; expected {wants}")
    if array.ndim > len(shape):
        raise BadInput(f"{name} has shape {_show(array.shape)}; expected {wants}")
    strange = np.argwhere(~np.isin(array, (0, 1)))
    if len(strange):
        place = tuple(map(int, strange[0]))
        where = f"{name}{_show(place)}" if place else name
        raise BadInput(f"{where} is {array[place]}; it is true or false")
    return np.broadcast_to(array.astype(np.int64), shape)


def _check_targets(flags: Raw, has_target: bool, where: str) -> None:
    if not has_target and (flags & Flag.TARGET_VALID).any():
        raise BadInput(f"{where}target_valid is true but there is no target; give one")


def _check_finite(name: str, array: NDArray[Any], start: int | None = None) -> None:
    if array.dtype.kind != "f":
        return
    finite = np.isfinite(array)
    if finite.all():
        return
    place = [int(i) for i in np.argwhere(~finite)[0]]
    number = array[tuple(place)]
    if start is not None:
        place[0] += start
    raise BadInput(
        f"{name}[{', '.join(map(str, place))}] is {number}; numbers must be finite "
        f"(shape of a step: {_show(array.shape[-2:])})"
    )


def _to_raw(
    array: NDArray[Any], fmt: QFormat, name: str, start: int | None = None
) -> tuple[Raw, int]:
    _check_finite(name, array, start)
    real = np.asarray(array, dtype=np.float64)
    with np.errstate(over="ignore"):  # an infinite product saturates like any other
        raw = fmt.to_raw(real)
    half = fmt.lsb / 2
    over = (real < fmt.real_min - half) | (real >= fmt.real_max + half)
    return raw, int(np.count_nonzero(over))


def _show(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, shape))}]"
