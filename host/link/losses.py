# SPDX-License-Identifier: Apache-2.0
"""Which frames to a board are sent again, by what the board says of those that came.

The board names the first frame that is missing, and with it how many are missing before others that
it keeps (`missing`), and up to where it keeps them (`until`), both counted from that frame on; both
are 0 when it keeps none. A frame that was kept is never sent again; one that was just sent again is
not, until that has had the time to arrive, or one that was sent behind it has: a line keeps its
order. Nor does a board take what is missing before others in another order than its own, so behind
one of these that is sent again the others are, too.
"""

from typing import NamedTuple

from antevolt.hdl.spec.link import Code
from antevolt.host.link.window import Frame, Window

__all__ = ["AGAIN", "Losses", "Said"]

DROPPED = (Code.SEQUENCE, Code.CREDIT)
"""All frames behind those that are kept were dropped, and will be until the first has come."""
AGAIN = (Code.CRC, Code.SHORT, Code.OVERSIZE, Code.MISSING, *DROPPED)


class Said(NamedTuple):
    """The fields of an ERROR; `about`: the first byte of the frame."""

    code: int
    about: int
    missing: int
    until: int


class Losses:
    """Of the frames that are under way in `sent`, of which the first is the one that the board
    named; `selective`: the board keeps frames behind a gap."""

    def __init__(self, sent: Window):
        self.sent = sent
        self._first, self._broken = -1, 0  # so many were broken since this one has been missing

    def after_error(self, said: Said, selective: bool, now: float, pause: float) -> list[Frame]:
        """What to send after an ERROR.

        A broken frame has no number. When others were sent behind the missing one, the next that
        arrives tells how many are missing; when that is broken, too, or there is none, as many are
        sent as were broken.
        """
        frames, dropped = self.sent.frames(), said.code in DROPPED
        for frame in frames[said.missing : said.until]:
            frame.kept = True
        lost, rest = frames[: said.missing], frames[said.until :] if dropped else []
        if not said.missing and not dropped:
            first = frames[0].number
            self._broken = self._broken + 1 if first == self._first else 1
            self._first = first
            if not selective:
                rest = frames
            elif self._broken > 1 or len(frames) == 1:
                lost = frames[: self._broken]
        if rest and now - rest[0].again < pause:
            rest = []
        came = _came(frames, said)
        due = [frame.last < came or now - frame.again >= pause for frame in lost]
        if said.missing and any(due):
            lost = lost[due.index(True) :]
        else:
            lost = [frame for frame, is_due in zip(lost, due, strict=True) if is_due]
        return _wanted(lost + rest)

    def after_silence(self, asked: int, selective: bool) -> list[Frame]:
        """What to send when the board has answered a question that came behind the frame at that
        place: frames that were sent since may still come."""
        frames = self.sent.frames()
        lost = [frame for frame in frames if frame.last <= asked]
        return _wanted(lost if selective or not lost else frames)


def _came(frames: list[Frame], said: Said) -> int:
    """A place from which a frame has come for sure: the last one that is kept, or one of the kind
    that was dropped; 0: none."""
    places = [frame.first for frame in frames[said.missing : said.until][-1:]]
    if said.code in DROPPED:
        one_of = [frame.first for frame in frames if frame.kind == said.about and not frame.kept]
        places.append(min(one_of, default=0))
    return max(places, default=0)


def _wanted(frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if not frame.kept]
