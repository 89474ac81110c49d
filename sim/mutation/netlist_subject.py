# SPDX-License-Identifier: Apache-2.0
"""A netlist as a subject of the short comparison, one of its mutants switched on."""

import ctypes
from ctypes import c_uint32, c_void_p
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.host.backend import Backend
from antevolt.sim.mutation.subject import STOP
from antevolt.sim.rtl import library as lib
from antevolt.sim.rtl.device import SLICE, RtlBackend

__all__ = ["NetlistSubject"]


class NetlistSubject:
    """`antevolt.sim.mutation.subject.Subject` on a netlist of `machine`.

    number    of the mutant; 0: none; None: the library has no mutants
    patience  cycles without a transfer after which the core is taken to hang
    """

    def __init__(
        self,
        machine: Machine,
        library: Path,
        number: int | None,
        patience: int,
        deadline: float,
    ):
        self.rtl = RtlBackend(machine, deadline, simulator=library)
        self.rtl.patience = patience
        if number is not None:
            choose = self.rtl.library.antevolt_mutant
            choose.restype, choose.argtypes = None, [c_void_p, c_uint32]
            choose(self.rtl.handle, number)
            self.rtl.reset()

    @property
    def backend(self) -> Backend:
        return self.rtl

    def stall(self, percent: int, seed: int) -> None:
        self.rtl.stall(percent, percent, percent, seed)

    def interrupt(self, x_words: NDArray[np.int64]) -> None:
        self.rtl.stall()
        x = np.ascontiguousarray(x_words, dtype=np.uint32)
        words = x.ctypes.data_as(ctypes.POINTER(c_uint32))
        call = lib.Run(words, x.size, words, 0, words, 0)
        code = lib.AGAIN
        while code == lib.AGAIN:
            code = self.rtl.library.antevolt_run(self.rtl.handle, ctypes.byref(call), STOP, SLICE)
        self.rtl.reset()

    def clock_error(self) -> int:
        counted = int(self.rtl.read(Region.REGISTERS, 0, Register.CYCLES, 1)[0])
        return counted - self.rtl.cycles
