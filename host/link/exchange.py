# SPDX-License-Identifier: Apache-2.0
"""Frames in order, once each, both ways: what is under way, what came, what is sent again.

Lost frames are sent again, those that came behind them are kept at the other end: by this host
(`arrivals.py`), and by a board that is `selective` (`losses.py`); else all from the first lost one
on are sent. Nothing here waits, nor asks by itself: that is the session's (`session.py`).
"""

from antevolt.hdl.spec.errors import Refused
from antevolt.hdl.spec.link import RESEND_MOST, RESEND_PLACE, AckFlag, Code, Kind, LinkParameters
from antevolt.host.link.arrivals import HALF, Arrivals
from antevolt.host.link.codec import Message, encode
from antevolt.host.link.counts import Counts
from antevolt.host.link.line import Line
from antevolt.host.link.losses import AGAIN, Losses, Said
from antevolt.host.link.window import WHOLE, Frame, Window

__all__ = ["Exchange"]

PATIENCE = 64.0  # pauses at most
DELIMITER = b"\0"  # after a loss: that of the frame before may be what was lost


class Exchange:
    """On a line whose board is unknown (`link` None) until it is set.

    sent, arrivals  the frames to the board that are under way; those that came
    losses    which of the former are sent again
    link      the board's buffers, and whether it is selective
    asked_at  when it was last asked for what is missing, or into silence
    moved_at  when it last acknowledged any frame
    patience  pauses of silence after which it is asked: twice as many after each question, down
              again with each frame, since a board may be slow
    """

    def __init__(self, line: Line, counts: Counts, sent: Window):
        self.line, self.counts, self.sent = line, counts, sent
        self.arrivals, self.losses = Arrivals(counts), Losses(sent)
        self.link: LinkParameters | None = None
        self.asked_at = self.moved_at = -1e9
        self.patience = 1.0
        self._asked_until = 0  # the frame before which all that are missing were asked for
        self._asked: int | None = None  # place of the last frame before a question into silence

    def start(self, number: int) -> None:
        """After a reset: all is gone, and the next frame is this one, both ways."""
        self._asked = None
        self.sent.start(number)
        self.arrivals.start(number)
        self.counts.sent = self.counts.accepted = 0

    def send(self, kind: Kind, payload: bytes) -> None:
        """The next frame; there is room for it."""
        data = self.sent.put(kind, payload)
        self.counts.sent += 1
        self.line.write(data)

    def take(self, data: bytes) -> bool:
        """Frames out of bytes; whether any frame came. Raises Refused."""
        frames = self.line.frames(data)
        for message in frames:
            if message is None:
                self.counts.bad += 1
                self._ask_again()
            else:
                self.line.heard_at = self.line.transport.clock()
                self.patience = max(1.0, self.patience / 2)
                self._handle(message)
        if self.arrivals.owed > self._room // 4:
            self.acknowledge(0)
        return bool(frames)

    def acknowledge(self, flags: int, count: int = 0, before: bytes = b"") -> None:
        """Say what came; `flags`: `AckFlag`s, of what the board is asked for with it; `count`: of
        so many frames, 0 for all, as it is where that cannot be asked; `before`: goes first."""
        self.arrivals.owed = 0
        if count > RESEND_MOST or not self._selective:
            count = 0
        said = bytes((flags | count << RESEND_PLACE,))
        self.line.write(before + encode(Kind.ACK, self.arrivals.expected, said))

    def ask(self) -> None:
        """After a silence: nothing is under way, and what did not arrive until now is lost."""
        self._asked = self.sent.place
        self.acknowledge(AckFlag.RESEND | AckFlag.REQUEST, self.arrivals.missing, DELIMITER)

    def ask_patiently(self) -> None:
        """The same, and be twice as patient from now on."""
        self.asked_at = self.line.transport.clock()
        self.patience = min(PATIENCE, 2 * self.patience)
        self.counts.polls += 1
        self.ask()

    @property
    def _selective(self) -> bool:
        return self.link is not None and self.link.selective

    @property
    def _room(self) -> int:
        """Bytes that the board may have under way."""
        return self.link.send_bytes if self.link else WHOLE

    def _handle(self, message: Message) -> None:
        kind, sequence, payload = message
        if kind.sequenced:
            if self.arrivals.arrive(message, self._room):
                self._ask_again()
        elif kind is Kind.ACK:
            self._acknowledged(sequence)
            self.sent.free(int.from_bytes(payload[:2], "little"))
            asked, self._asked = self._asked, None
            if asked is None or self.line.transport.waiting() or not self._is_first(sequence):
                return
            self._resend(self.losses.after_silence(asked, self._selective), 1)
        elif kind is Kind.ERROR:
            self._error(payload, sequence)
        # else a late reply to a question, for which nobody waits any more

    def _error(self, payload: bytes, expected: int) -> None:
        said = Said(*payload[:4])
        number = said.code
        name = Code(number).name if number in set(Code) else f"code {number}"
        if number == Code.MISSING:
            self.counts.kept += 1
        else:
            self.counts.errors[name] = self.counts.errors.get(name, 0) + 1
        self._acknowledged(expected)
        if number in AGAIN:
            if self._is_first(expected):
                now, pause = self.line.transport.clock(), self.line.pause
                lost = self.losses.after_error(said, self._selective, now, pause)
                self._resend(lost, max(1, said.missing))
            return
        if number == Code.ACKNOWLEDGED:  # an ACK that was late
            return
        raise Refused(
            f"{self.line.transport.name} refused a frame of kind {said.about:#04x}: {name}; host "
            "and board disagree, please report this"
        )

    def _acknowledged(self, expected: int) -> None:
        """All frames before `expected` have arrived."""
        if count := self.sent.acknowledge(expected):
            self.counts.accepted += count
            self.moved_at = self.line.transport.clock()

    def _is_first(self, expected: int) -> bool:
        return bool(self.sent) and expected == self.sent.first

    def _resend(self, frames: list[Frame], missing: int) -> None:
        """These again, of which the first `missing` under way are missing for sure."""
        if not frames:
            return
        now, first = self.line.transport.clock(), self.sent.first
        self.counts.resends += 1
        before = DELIMITER
        for frame in frames:
            self.sent.again(frame, now)
            self.counts.resent += 1
            self.counts.resent_bytes += len(frame.data)
            if (frame.number - first) % WHOLE < missing:
                self.counts.missing_bytes += len(frame.data)
            self.line.write(before + frame.data)
            before = b""

    def _ask_again(self) -> None:
        """A frame from the board is missing: once in a pause, and whenever more are."""
        now, count = self.line.transport.clock(), max(1, self.arrivals.missing)
        until = self.arrivals.expected + count
        more = 0 < (until - self._asked_until) % WHOLE < HALF
        if more or now - self.asked_at >= self.line.pause:
            self.asked_at, self._asked_until = now, until
            self.acknowledge(AckFlag.RESEND | AckFlag.REQUEST, count)
