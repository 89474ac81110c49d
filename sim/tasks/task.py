# SPDX-License-Identifier: Apache-2.0
"""What a task is: a network, samples epoch by epoch, and figures that say how well it learns.

`antevolt.sim.tasks.run` learns it, seed by seed, on any device; `run_command` makes its command.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple, Self

from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters
from antevolt.sim.tasks.learner import Learner

__all__ = ["Record", "Samples", "Settings", "Task", "nothing", "per_cent", "small"]

Record = dict[str, Any]
Measurement = Callable[[Learner, Any, int], float]
"""Of a device that learned, by settings and seed; leaves no trace in it."""


@dataclass(frozen=True)
class Settings:
    """What a run depends on, besides its seed. Tasks add their own.

    device  as `antevolt.host.device.open` names it
    epochs  a run has; a task says what an epoch is
    """

    device: str = "model"
    epochs: int = 100

    @classmethod
    def of(cls, **options: Any) -> Self:
        """From the options of a task's command. Raises BadInput."""
        return cls(**options)

    def cosine(self, epoch: int) -> float:
        """Half a cosine from 1 to 0 over all epochs, constant within one; counted from 0."""
        return 0.5 * (1 + math.cos(math.pi * (epoch + 0.5) / self.epochs))

    def to_dict(self) -> Record:
        """As it reads from JSON."""
        values: Record = json.loads(json.dumps(asdict(self)))
        return values


class Samples(NamedTuple):
    """Steps of a stream: x [T, S, inputs], y [T, S, outputs]; flags [T, S], [T] or one for all."""

    x: NDArray[Any]
    y: NDArray[Any]
    first: ArrayLike = False
    valid: ArrayLike = True
    target_valid: ArrayLike | None = None
    learn: ArrayLike = True

    def head(self, steps: int) -> "Samples":
        """The first steps."""

        def cut(flags: Any) -> Any:
            return flags[:steps] if getattr(flags, "ndim", 0) else flags

        return Samples(*(cut(part) for part in self))


def per_cent(value: float) -> str:
    """A share."""
    return f"{100 * value:.2f} %"


def small(value: float) -> str:
    """A loss or a distance, over many orders of magnitude."""
    return f"{value:.1e}"


def nothing(*_: Any) -> Record:
    """No figures."""
    return {}


@dataclass(frozen=True)
class Task:
    """A task; functions take its settings, and a seed where they depend on one.

    name      of the command and its files;  title  in words, for a picture
    settings  the class of its settings, whose fields are options of its command
    network, machine, start  what is loaded, on what core, from which parameters
    samples   of an epoch (settings, seed, epoch from 0)
    learned   figures of an epoch (settings, seed, epoch, samples, outputs [T, S, n])
    look      figures (device, settings, seed, epoch) measured after an epoch
    test      the figure of a run: measured once, when its last epoch is done
    more      further ones, each measured once, when asked for: words of help and measurement
    steps     of an epoch
    rate      learning rate of an epoch, or None: the network's
    measure   what `test` is, in words;  shown  writes it;  series  figures of an epoch to be
              shown and drawn;  logarithmic  axis of the picture;  lines  to compare with, in it
    absent    of `series`: figures that runs with these settings do not have, each with the reason
    profile   a figure of some epochs, one for each projection, that gets a panel of its own
    """

    name: str
    measure: str
    series: Sequence[str]
    title: Callable[[Any], str]
    settings: type[Any]
    network: Callable[[Any, int], Network]
    machine: Callable[[Any], Machine]
    start: Callable[[Any, int], Parameters]
    samples: Callable[[Any, int, int], Samples]
    learned: Callable[[Any, int, int, Samples, NDArray[Any]], Record]
    test: Measurement
    steps: Callable[[Any], int]
    look: Callable[[Learner, Any, int, int], Record] = nothing
    rate: Callable[[Any, int], float] | None = None
    more: Mapping[str, tuple[str, Measurement]] = field(default_factory=dict)
    shown: Callable[[float], str] = per_cent
    logarithmic: bool = False
    profile: str = ""
    lines: Callable[[Any], Mapping[str, float]] = nothing
    absent: Callable[[Any], Mapping[str, str]] = nothing
    help: str = ""

    @property
    def higher(self) -> bool:
        """Whether more is better: of a share it is; what spans orders of magnitude is an error."""
        return not self.logarithmic
