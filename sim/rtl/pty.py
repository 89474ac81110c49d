# SPDX-License-Identifier: Apache-2.0
"""A simulated board behind a pseudo-terminal, for programs that want a serial port."""

import os
import select
import termios
import time
import tty
from collections.abc import Callable

from antevolt.sim.rtl.line import SimulatedLine

__all__ = ["PtyBoard"]

RATES = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name.startswith("B") and name[1:].isdecimal()
}
"""Baud by what the system calls it."""
SPAN = 0.002  # seconds of the line's time that are simulated at a time
OUTPUT = 5  # place of the rate in what `tcgetattr` gives


class PtyBoard:
    """Moves bytes between a pseudo-terminal and a simulated line, at the rate that the program on
    the other side has set.

    path  the port to open
    """

    def __init__(self, line: SimulatedLine):
        self.line = line
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self.bytes_in = self.bytes_out = 0

    def serve(self, until: Callable[[], bool]) -> None:
        """Until that is true. When nothing is to do, the line's clock goes no faster than time."""
        start, begun, busy = time.monotonic(), self.line.clock(), 0.0
        back = bytearray()
        while not until():
            rate = RATES.get(termios.tcgetattr(self._slave)[OUTPUT])
            if rate:
                self.line.set_baud(rate)
            ahead = self.line.clock() - begun - (time.monotonic() - start)
            rests = time.monotonic() > busy and ahead > 0
            if select.select([self._master], [], [], min(ahead, 0.05) if rests else 0)[0]:
                data = os.read(self._master, 4096)
                self.bytes_in += len(data)
                self.line.write(data)
                busy = time.monotonic() + 0.1
            elif rests:
                continue
            out = self.line.read(SPAN)
            if out:
                busy = time.monotonic() + 0.1
            back += out
            if back:
                try:
                    count = os.write(self._master, back)
                except BlockingIOError:  # nobody reads
                    count = 0
                self.bytes_out += count
                del back[:count]

    def close(self) -> None:
        for end in (self._master, self._slave):
            os.close(end)
        self.line.close()
