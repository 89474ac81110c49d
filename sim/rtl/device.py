# SPDX-License-Identifier: Apache-2.0
"""A simulated core as a device: the Verilated netlist, clocked by the C++ loop."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.errors import AntevoltError, BadInput, Closed, DeadlineExceeded
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.host.targets import Targets
from antevolt.sim.rtl import library as lib
from antevolt.sim.rtl.build import build

__all__ = ["RtlBackend"]

RESET_CYCLES = 4
PATIENCE = 1 << 20
"""Cycles without any transfer after which a core is taken to be stuck: above the longest step."""
SLICE = 0.2  # seconds per call of the C++ loop; signals and deadlines are served in between


class RtlBackend:
    """The backend protocol (`antevolt.host.backend`) on a Verilated core.

    machine   the core to simulate; its simulator is built on first use (`build.py`)
    deadline  seconds a call may take
    trace     True: able to write waveforms, see `waveforms`; slower
    simulator the path of a library, instead of building one

    library   the simulator; one with a C++ file of its own has more functions than are used here
    """

    def __init__(
        self,
        machine: Machine,
        deadline: float = 60.0,
        *,
        trace: bool = False,
        simulator: Path | None = None,
    ):
        self.machine, self._targets = machine, Targets(machine)
        self.deadline = deadline
        self.library = lib.load(simulator or build(machine, trace=trace))
        self._handle: int | None = self.library.antevolt_create()
        self.patience = PATIENCE
        self.reset()

    @property
    def cycles(self) -> int:
        """Clock cycles simulated so far, reset included."""
        return int(self.library.antevolt_cycles(self.handle))

    def reset(self, cycles: int = RESET_CYCLES) -> None:
        """Hold the reset line for some cycles. Memories keep what they hold."""
        self.library.antevolt_reset(self.handle, cycles)
        self._targets.forget()  # a step may have ended amid a target

    def stall(self, x: int = 0, y: int = 0, out: int = 0, seed: int = 1) -> None:
        """Hold back each stream in so many percent of the cycles, drawn from `seed`."""
        for name, percent in (("x", x), ("y", y), ("out", out)):
            if not 0 <= percent < 100:
                raise BadInput(f"stall of {name} is {percent} percent; it is 0..99")
        self.library.antevolt_stall(self.handle, seed, x, y, out)

    def waveforms(self, path: Path | None) -> None:
        """Write waveforms (VCD) to `path` from now on, or stop with None."""
        target = None if path is None else str(path).encode()
        if self.library.antevolt_trace(self.handle, target) == lib.NO_TRACE:
            raise BadInput("this simulator was built without waveforms; open it with trace=True")

    def write(self, region: Region, unit: int, index: int, data: ArrayLike) -> None:
        words = np.ascontiguousarray(data, dtype=np.int64).ravel().astype(np.uint64)
        self._access(True, region, unit, index, words)
        self._targets.wrote(region)

    def read(self, region: Region, unit: int, index: int, count: int) -> NDArray[np.int64]:
        words = np.zeros(count, dtype=np.uint64)
        self._access(False, region, unit, index, words)
        return words.astype(np.int64)

    def run(
        self,
        x_words: ArrayLike,
        y_words: ArrayLike,
        steps: int,
        outputs: int,
        words: int | None = None,
    ) -> NDArray[np.int64]:
        words_of = self._targets.hold(x_words, y_words, steps)
        x, y = (np.ascontiguousarray(w, dtype=np.uint32).ravel() for w in words_of)
        out = np.zeros(steps * outputs if words is None else words, dtype=np.uint32)
        call = lib.Run(_words32(x), x.size, _words32(y), y.size, _words32(out), out.size)
        try:
            self._until_done(
                lambda handle: self.library.antevolt_run(
                    handle, ctypes.byref(call), self.patience, SLICE
                )
            )
        except DeadlineExceeded as error:
            raise DeadlineExceeded(
                f"{error}: {call.x_done} of {x.size} inputs and {call.y_done} of {y.size} targets "
                f"were taken, {call.out_done} of {out.size} outputs came, "
                f"{call.cycles} cycles passed"
            ) from None
        return out.astype(np.int64)

    def close(self) -> None:
        if self._handle is not None:
            self.library.antevolt_destroy(self._handle)
            self._handle = None

    @property
    def handle(self) -> int:
        """The simulated core, as functions of `library` take it."""
        if self._handle is None:
            raise Closed("the simulated core is closed; open it again")
        return self._handle

    def _access(
        self, write: bool, region: Region, unit: int, index: int, words: NDArray[np.uint64]
    ) -> None:
        if not words.size:
            return
        data = words.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64))
        call = lib.Access(int(write), int(region), unit, index, data, words.size)
        try:
            self._until_done(
                lambda handle: self.library.antevolt_access(
                    handle, ctypes.byref(call), self.patience, SLICE
                )
            )
        except DeadlineExceeded as error:
            verb = "written" if write else "read"
            raise DeadlineExceeded(
                f"{error}: {call.done} of {words.size} words of {region.name} {unit} were {verb}"
            ) from None

    def _until_done(self, call: Callable[[int], int]) -> None:
        end = time.monotonic() + self.deadline
        while True:
            code = call(self.handle)
            if code == lib.DONE:
                return
            if code == lib.AGAIN and time.monotonic() < end:
                continue
            self.close()
            if code == lib.STUCK:
                raise DeadlineExceeded(f"the core moved no word for {self.patience} cycles")
            if code == lib.AGAIN:
                raise DeadlineExceeded(f"the core was not done within {self.deadline:g} s")
            raise AntevoltError("the core gave more words than its program and requests ask for")


def _words32(array: NDArray[np.uint32]) -> "ctypes._Pointer[ctypes.c_uint32]":
    return array.ctypes.data_as(ctypes.POINTER(ctypes.c_uint32))
