# SPDX-License-Identifier: Apache-2.0
"""How much of its line a session uses, from one look to the next."""

from dataclasses import dataclass

from antevolt.host.link.session import Session

__all__ = ["LinkMeter", "LinkUse"]

BITS = 10  # of a byte on the line


@dataclass(frozen=True)
class LinkUse:
    """Of the time since the look before, by the line's clock (a simulated line has its own).

    out, into     bytes per second to and from the board
    baud          the line's rate
    fullest       most bytes of the board's receive buffer that were in use at once
    window        bytes of it that may be
    resent, bad   frames sent again; damaged ones from the board
    """

    out: float
    into: float
    baud: int
    fullest: int
    window: int
    resent: int
    bad: int

    @property
    def share(self) -> float:
        """Of the line's rate, in the direction that carries more."""
        return max(self.out, self.into) * BITS / self.baud


class LinkMeter:
    """Counts from when it is made."""

    def __init__(self, session: Session):
        self._session = session
        self._before = self._now()
        session.take_fullest()

    def look(self) -> LinkUse:
        before, now = self._before, self._now()
        self._before = now
        seconds, out, into, resent, bad = (b - a for a, b in zip(before, now, strict=True))
        seconds, session = max(1e-9, seconds), self._session
        return LinkUse(
            out / seconds,
            into / seconds,
            session.baud,
            session.take_fullest(),
            session.window,
            int(resent),
            int(bad),
        )

    def _now(self) -> tuple[float, ...]:
        session = self._session
        counts = session.counts
        clock = session.transport.clock()
        return clock, counts.bytes_out, counts.bytes_in, counts.resent, counts.bad
