# SPDX-License-Identifier: Apache-2.0
"""What a device is made of below the driver: memory access and streaming of raw words.

Words are integers as the core's ports carry them (`hdl/spec/memory_map.py`, `hdl/spec/flags.py`):

* memory words are unsigned, up to 36 bits; a signed number narrower than that stands in the low
  bits, in two's complement;
* stream words are unsigned: the number in the low `word` bits, then, except for targets,
  `INPUT_FLAG_BITS` flags (of an output `FLAG_BITS`), which count on the first word of a stream.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region

__all__ = ["BACKENDS", "Access", "Backend", "Words", "check_name", "open_backend"]

Words = NDArray[np.int64]


class Access(Protocol):
    """Memories that can be written and read."""

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        """Write the words `data` [count] from `index` on; returns when they are on their way."""
        ...

    def read(self, region: Region, unit: int, index: int, count: int) -> Words:
        """`count` words from `index` on, after everything written before."""
        ...


class Backend(Access, Protocol):
    """A core that can be reached. Every wait ends after the backend's deadline, in seconds.

    All calls raise DeadlineExceeded then (and the backend is of no further use), and Closed after
    `close`.
    """

    @property
    def machine(self) -> Machine: ...

    def run(
        self,
        x_words: ArrayLike,
        y_words: ArrayLike,
        steps: int,
        outputs: int,
        words: int | None = None,
    ) -> Words:
        """Run `steps` steps and return the output words that come.

        x_words  inputs of all steps, streams and units, flat
        y_words  targets, of the streams that have one, flat; those that lasted are not sent again
                 (`host/targets.py`)
        outputs  all streams' outputs of one step
        words    output words that come, where they are not `steps * outputs`: the caller knows from
                 the output mode and the flags
        """
        ...

    def close(self) -> None:
        """Let go of the core; closing twice does no harm."""
        ...


BACKENDS = {
    "model": ("antevolt.host.model", "ModelBackend"),
    "rtl": ("antevolt.sim.rtl.device", "RtlBackend"),
    "model:numpy": ("antevolt.host.model", "NumpyBackend"),
    "rtl:ecp5": ("antevolt.sim.netlist.device", "ecp5"),
    "rtl:ice40": ("antevolt.sim.netlist.device", "ice40"),
}
"""Devices by name: the module and class or function, imported when asked for."""
BOARDS = {
    "rtl:top": ("antevolt.sim.rtl.top", "open_top"),
    "serial:": ("antevolt.host.link.serial_port", "open_serial"),
    "tcp:": ("antevolt.host.link.tcp", "open_tcp"),
}
"""Boards: by name, or by the start of it, which an address follows."""


def check_name(name: str) -> None:
    """Raises BadInput for the name of a device that does not exist."""
    if not isinstance(name, str) or name not in BACKENDS and _board(name) is None:
        known = [*BACKENDS, "rtl:top", "serial:PORT", "tcp:HOST:PORT"]
        raise BadInput(f"there is no device {name!r}; there are {', '.join(map(repr, known))}")


def open_backend(name: str, machine: Machine | None, deadline: float) -> Backend:
    """The backend called `name`; raises BadInput for a name that does not exist, and for a machine
    or a deadline that is none.

    machine  None: the standard one, or whatever a board is
    """
    check_name(name)
    if not (isinstance(deadline, int | float) and deadline > 0):
        raise BadInput(f"deadline is {deadline!r}; it is a number of seconds above 0")
    if machine is not None and not isinstance(machine, Machine):
        raise BadInput(f"machine is {machine!r}; it is a Machine, such as Machine(rows=3)")
    kind = _board(name)
    if kind is not None:
        module, function = BOARDS[kind]
        opener: Callable[[str, Machine | None, float], Backend]
        opener = getattr(import_module(module), function)
        return opener(name[len(kind) :], machine, float(deadline))
    module, function = BACKENDS[name]
    make: Callable[[Machine, float], Backend] = getattr(import_module(module), function)
    return make(machine or Machine(), float(deadline))


def _board(name: str) -> str | None:
    """The key of BOARDS that a name means."""
    for kind in BOARDS:
        if name == kind or kind.endswith(":") and name.startswith(kind) and len(name) > len(kind):
            return None if name == kind and kind.endswith(":") else kind
    return None
