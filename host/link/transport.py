# SPDX-License-Identifier: Apache-2.0
"""What carries bytes to a board: a serial port, a socket, or a simulated line."""

from typing import Protocol

from antevolt.hdl.spec.errors import LinkError

__all__ = ["RateRefused", "Transport"]


class RateRefused(LinkError):
    """The port cannot go at this rate, and keeps the one before."""


class Transport(Protocol):
    """Bytes both ways; some may be lost or changed.

    name           for messages
    power_up_baud  the rate at which a board starts
    latency        seconds that a byte may be under way beside its time on the line
    silence        seconds after which a board that hears nothing goes back to `power_up_baud`

    All calls raise LinkError when the port is gone.
    """

    name: str
    power_up_baud: int
    latency: float
    silence: float

    def clock(self) -> float:
        """Seconds, by the clock that the line's delays are measured with."""
        ...

    def write(self, data: bytes) -> None:
        """Send; returns before the bytes are on the line."""
        ...

    def waiting(self) -> int:
        """Bytes that are not yet on the line, as far as it is known."""
        ...

    def read(self, seconds: float) -> bytes:
        """What comes within that time; returns as soon as there is something."""
        ...

    def set_baud(self, baud: int) -> None:
        """Go at this rate from now on. Raises RateRefused."""
        ...

    def close(self) -> None:
        """Closing twice does no harm."""
        ...
