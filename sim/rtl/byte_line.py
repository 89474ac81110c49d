# SPDX-License-Identifier: Apache-2.0
"""A simulated board on a line of whole bytes: what a line does to bits is not simulated.

For long campaigns: without the bits of a byte a link needs fewer clocks for it, and while all waits
the clock loop skips the time. What stands between parser and sender is the gateware of every board.
"""

import ctypes
from ctypes import c_uint32, c_uint64, c_void_p
from dataclasses import replace
from pathlib import Path

from antevolt.hdl.spec.link import LinkParameters
from antevolt.sim.rtl.line_end import READ_BYTES, LineEnd

__all__ = ["BACK", "FRONT", "LARGE", "SMALL", "ByteLine"]

SMALL = LinkParameters(
    receive_bytes=512, send_bytes=512, x_words=16, silence=0.2, trial=0.1, selective=True
)
"""The least buffers: a window is soon full, and a fault soon over."""
LARGE = LinkParameters(silence=0.2, trial=0.1, selective=True)
"""The buffers of a board."""
BACK = replace(LARGE, selective=False)
"""A board that keeps nothing behind a gap."""
FRONT = Path(__file__).with_name("bytes.cpp")
BYTE = 4  # clocks of a byte for each clock of a bit, as in bytes.cpp
BITS = 10  # of a byte, as the host counts
LATENCY = 0.00002
GAP = 2.4  # bytes' time without a byte after which a read ends that has got some


class _Exchange(ctypes.Structure):
    """`struct Exchange` of bytes.cpp."""

    _fields_ = [
        ("divisor", c_uint32),
        ("gap", c_uint32),
        ("to_board", c_void_p),
        ("to_count", c_uint64),
        ("to_done", c_uint64),
        ("from_board", c_void_p),
        ("from_size", c_uint64),
        ("from_done", c_uint64),
        ("cycles", c_uint64),
        ("now", c_uint64),
    ]


class ByteLine(LineEnd):
    """A transport (`antevolt.host.link.transport`) as `SimulatedLine` is one.

    Its seconds are such that a byte takes 10 bits of the rate. Host and board at different rates
    hear broken bytes of each other.
    """

    def __init__(self, library: Path, link: LinkParameters = SMALL):
        super().__init__(library, link, "antevolt_bytes", _Exchange)
        self.name = "rtl:bytes"
        self.hertz = link.clock_hz * BYTE / BITS
        self.latency, self.silence = LATENCY, link.silence * BITS / BYTE
        self.cycles = 0
        self._call = _Exchange(from_board=ctypes.addressof(self._buffer), from_size=READ_BYTES)
        self.set_baud(link.power_up_baud)
        self.power_up()

    def clock(self) -> float:
        """Seconds of the line's time."""
        return self.cycles / self.hertz

    def set_baud(self, baud: int) -> None:
        self._call.divisor = self.parameters.divisor(baud)
        self._call.gap = round(GAP * BYTE * self._call.divisor)

    def read(self, seconds: float) -> bytes:
        """Bytes that come within `seconds`; ends early, soon after some came."""
        call, data = self._call, bytes(self._waiting)
        call.cycles = max(1, round(seconds * self.hertz))
        call.to_board = ctypes.cast(ctypes.c_char_p(data), c_void_p)
        call.to_count, call.to_done, call.from_done = len(data), 0, 0
        self._run(self._open(), ctypes.byref(call))
        self.cycles = call.now
        del self._waiting[: call.to_done]
        return ctypes.string_at(self._buffer, call.from_done)
