# SPDX-License-Identifier: Apache-2.0
"""The order of frames at a board, as `docs/protocol.md` tells it."""

from antevolt.hdl.spec.link import GAP_MOST

__all__ = ["HALF", "UNTIL", "WHOLE", "Model"]

WHOLE, HALF = 1 << 16, 1 << 15
UNTIL = 255  # frames from the expected one to the end of those kept, at most


class Model:
    """What is taken, by number: one gap at a time."""

    def __init__(self, expected):
        self.expected = expected
        self.missing = self.until = 0
        self.begun = False

    def verdict(self, number, free):
        """`known`, `strange`, or kept."""
        ahead = (number - self.expected) % WHOLE
        if ahead >= HALF or self.missing and self.missing <= ahead < self.until:
            return "known"
        if ahead == 0:
            return "kept"
        if not self.missing:
            return "kept" if free and ahead < GAP_MOST else "strange"
        return "kept" if ahead == self.until < UNTIL and not self.begun else "strange"

    def keep(self, number):
        """Whether others behind it may be read with it, now that it is kept."""
        ahead = (number - self.expected) % WHOLE
        if ahead:
            self.missing = self.missing or ahead
            self.until = ahead + 1
        elif self.missing > 1:
            self.expected = (self.expected + 1) % WHOLE
            self.missing, self.until, self.begun = self.missing - 1, self.until - 1, True
        else:
            self.expected = (self.expected + max(1, self.until)) % WHOLE
            self.missing = self.until = 0
            self.begun = False
