# SPDX-License-Identifier: Apache-2.0
"""The frames from a board, in its order: the next one, one behind a gap, or one that came again."""

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
        self._gap = -1  # the frame that was missing last

    def start(self, number: int) -> None:
        """After a reset: all is gone, and the next frame is this one."""
        self.inbox.clear()
        self.expected, self.owed, self._gap = number, 0, -1

    def arrive(self, message: Message) -> bool:
        """Keep a frame that is the next one; whether one before it is missing."""
        ahead = (message.sequence - self.expected) % WHOLE
        size, counts = len(message.payload) + ENTRY_BYTES, self._counts
        if ahead == 0:
            self.expected = (message.sequence + 1) % WHOLE
            self.owed += size
            counts.received += 1
            self.inbox.append(message)
        elif ahead < HALF:
            counts.gaps += self._gap != self.expected
            self._gap = self.expected
            counts.early += 1
            counts.early_bytes += size
            return True
        else:
            counts.repeated += 1
            self.owed += 1
        return False
