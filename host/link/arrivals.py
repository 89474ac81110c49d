# SPDX-License-Identifier: Apache-2.0
"""The frames from a board, in its order: the next one, one behind a gap, or one that came again.

A frame behind a gap is kept until those before it have come.
"""

from collections import deque

from antevolt.hdl.spec.link import ENTRY_BYTES
from antevolt.host.link.codec import Message
from antevolt.host.link.counts import Counts
from antevolt.host.link.window import WHOLE

__all__ = ["HALF", "Arrivals"]

HALF = WHOLE // 2
"""A number is ahead of another by less than this, or it is behind."""


class Arrivals:
    """Nothing has come; the next frame is number 0.

    inbox     frames that nobody has taken yet
    expected  number of the next frame
    owed      bytes that came since the host last acknowledged any
    """

    def __init__(self, counts: Counts):
        self.inbox: deque[Message] = deque()
        self.expected = self.owed = 0
        self._counts = counts
        self._early: dict[int, Message] = {}
        self._early_bytes = 0

    def start(self, number: int) -> None:
        """After a reset: all is gone, and the next frame is this one."""
        self.inbox.clear()
        self._early.clear()
        self._early_bytes = 0
        self.expected, self.owed = number, 0

    @property
    def missing(self) -> int:
        """Frames from `expected` on before the first that came early; 0: none did."""
        return min(((n - self.expected) % WHOLE for n in self._early), default=0)

    def arrive(self, message: Message, room: int) -> bool:
        """Keep a frame; whether one before it, or before others, is missing.

        room  bytes of frames that may be kept behind a gap: what a board may have under way
        """
        ahead = (message.sequence - self.expected) % WHOLE
        size, counts = _size(message), self._counts
        if ahead == 0:
            self._take(message)
            while (after := self._early.pop(self.expected, None)) is not None:
                self._early_bytes -= _size(after)
                self._take(after)
                counts.gaps += bool(self._early) and self.expected not in self._early
        elif ahead < HALF:
            counts.gaps += not self._early
            if message.sequence in self._early:
                self._again(size)
            elif self._early_bytes + size <= room:
                self._early[message.sequence] = message
                self._early_bytes += size
                counts.early += 1
                counts.early_bytes += size
            return True
        else:
            self._again(size)
            self.owed += 1
        return bool(self._early)

    def _take(self, message: Message) -> None:
        self.expected = (message.sequence + 1) % WHOLE
        self.owed += _size(message)
        self._counts.received += 1
        self.inbox.append(message)

    def _again(self, size: int) -> None:
        self._counts.repeated += 1
        self._counts.repeated_bytes += size


def _size(message: Message) -> int:
    """Bytes in the board's send buffer."""
    return len(message.payload) + ENTRY_BYTES
