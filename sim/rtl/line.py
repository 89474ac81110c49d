# SPDX-License-Identifier: Apache-2.0
"""A simulated board on a serial line: the Verilated top level, and the host's end of the line."""

import ctypes
from ctypes import c_uint32, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.link import LinkParameters
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.rtl.build import build_component, seconds_of, sources_of
from antevolt.sim.rtl.line_end import READ_BYTES, LineEnd

__all__ = ["LINE", "SIMULATED", "SimulatedLine", "build_top"]

SIMULATED = LinkParameters(selective=True)
"""Of `rtl:top`: 12 MHz, 4 clocks per bit at the fastest rate."""
LINE = Path(__file__).with_name("line.cpp")
LATENCY = 0.0005
GAP = 24  # bits without a byte after which a read ends that has got some


class _Exchange(ctypes.Structure):
    """`struct Exchange` of line.cpp."""

    _fields_ = [
        ("divisor", c_uint32),
        ("stuck", c_uint32),
        ("to_board", c_void_p),
        ("to_count", c_uint64),
        ("to_done", c_uint64),
        ("from_board", c_void_p),
        ("from_size", c_uint64),
        ("from_done", c_uint64),
        ("want", c_uint64),
        ("cycles", c_uint64),
    ]


def build_top(machine: Machine, link: LinkParameters) -> Path:
    """The library that simulates `Top(machine, link)`."""

    def top() -> Any:
        from antevolt.hdl.top import Top  # Amaranth only when it is needed

        return Top(machine, link)

    return build_component(
        top,
        f"{machine.name}-top",
        sources=sources_of(machine.to_json(), repr(link)),
        seconds=seconds_of(machine) + 10,
        front=LINE,
    )


class SimulatedLine(LineEnd):
    """A transport (`antevolt.host.link.transport`) whose time is that of the simulated clock.

    stuck  0, or the line to the board is held: 1 low, 2 high
    """

    def __init__(self, library: Path, link: LinkParameters = SIMULATED):
        super().__init__(library, link, "antevolt_line", _Exchange)
        self.name = "rtl:top"
        self.baud = link.power_up_baud
        self.latency, self.silence = LATENCY, link.silence
        self.stuck = 0
        self._cycles = self._function("cycles", c_uint64, c_void_p)
        self.power_up()

    @property
    def cycles(self) -> int:
        return int(self._cycles(self._open()))

    def clock(self) -> float:
        """Seconds of the line's time."""
        return self.cycles / self.parameters.clock_hz

    def set_baud(self, baud: int) -> None:
        self.baud = baud

    def read(self, seconds: float) -> bytes:
        """Bytes that come within `seconds`; ends early, soon after some came."""
        left = max(1, round(seconds * self.parameters.clock_hz))
        found = bytearray()
        gap = GAP * self.parameters.divisor(self.baud)
        while left > 0 and len(found) < READ_BYTES:
            span = min(left, gap) if found else left
            got, passed = self._exchange(span)
            left -= passed
            if not got and found:
                break
            found += got
        return bytes(found)

    def _exchange(self, cycles: int) -> tuple[bytes, int]:
        before, data = self.cycles, bytes(self._waiting)
        call = _Exchange(
            self.parameters.divisor(self.baud),
            self.stuck,
            ctypes.cast(ctypes.c_char_p(data), c_void_p),
            len(data),
            0,
            ctypes.cast(self._buffer, c_void_p),
            READ_BYTES,
            0,
            1,
            cycles,
        )
        self._run(self._open(), ctypes.byref(call))
        del self._waiting[: call.to_done]
        return bytes(self._buffer[: call.from_done]), self.cycles - before
