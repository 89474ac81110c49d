# SPDX-License-Identifier: Apache-2.0
"""The line to a board: bytes out and frames in, when either side was heard, and questions.

A question is a frame outside any order: it has a number of its own, which the reply repeats.
"""

import time
from collections.abc import Callable
from random import Random

from antevolt.hdl.spec.errors import DeadlineExceeded
from antevolt.hdl.spec.link import Kind
from antevolt.host.link.codec import LONGEST, Decoder, Message, encode
from antevolt.host.link.counts import Counts
from antevolt.host.link.transport import Transport
from antevolt.host.link.window import WHOLE

__all__ = ["Line"]

BITS = 10  # of a byte on the line


class Line:
    """Made at no rate; then `set_baud`. Times are the transport's.

    spoke_at, heard_at  when the last bytes went out, when the last good frame of a session came
    under_way           bytes that the board has not acknowledged, as the session knows
    draw                numbers of questions
    """

    def __init__(
        self, transport: Transport, counts: Counts, under_way: Callable[[], int], draw: Random
    ):
        self.transport, self.draw, self.baud = transport, draw, 0
        self.spoke_at, self.heard_at = 0.0, -1e9
        self._counts, self._under_way = counts, under_way
        self._decoder = Decoder()
        self._deadline = self._end = float("inf")

    @property
    def pause(self) -> float:
        """Seconds of silence that mean a loss: what is under way, and an answer to it."""
        under_way = self.transport.waiting() + self._under_way()
        return self.transport.latency + (under_way + 3 * LONGEST) * BITS / self.baud

    def begin(self, deadline: float) -> None:
        """A call begins, which may wait so many seconds."""
        self._deadline, self._end = deadline, time.monotonic() + deadline

    def in_time(self, what: str) -> None:
        """Raises DeadlineExceeded when the call has waited too long for it."""
        if time.monotonic() > self._end:
            raise DeadlineExceeded(f"{self.transport.name}: no {what} within {self._deadline:g} s")

    def set_baud(self, baud: int) -> None:
        self.transport.set_baud(baud)
        self.baud = baud

    def write(self, data: bytes) -> None:
        self._counts.bytes_out += len(data)
        self.spoke_at = self.transport.clock()
        self.transport.write(data)

    def frames(self, data: bytes) -> list[Message | None]:
        """Those that end in bytes that came; None for a bad one."""
        self._counts.bytes_in += len(data)
        return list(self._decoder.feed(data))

    def _rest(self, patience: int) -> float:
        """Seconds in which a question, and what waits before it, is answered."""
        under_way = self.transport.waiting() + 3 * LONGEST
        return patience * (5 * self.transport.latency + under_way * BITS / self.baud)

    def ask(self, frame: bytes, kind: Kind, nonce: int, patience: int = 1) -> Message | None:
        """The reply of this kind and number, or None after some pauses without it; what else comes
        meanwhile is of no session."""
        self.write(frame)
        end = self.transport.clock() + self._rest(patience)
        while self.transport.clock() < end:
            for reply in self.frames(self.transport.read(0.02)):
                if reply is not None and reply.kind is kind and reply.sequence == nonce:
                    self.heard_at = self.transport.clock()
                    return reply
            self.in_time("answer")
        return None

    def change_baud(self, divisor: int, baud: int, tries: int = 1) -> bool:
        """Ask the board for another rate, and go there with it; whether it said yes.

        When no answer comes it may be there already, and is asked there, too.
        """
        nonce = self.draw.randrange(WHOLE)
        frame = encode(Kind.BAUD, nonce, divisor.to_bytes(2, "little"))
        before = self.baud
        for _ in range(tries):
            said = self.ask(frame, Kind.BAUD, nonce) is not None
            self.set_baud(baud)
            if said or self.ask(b"\0" + frame, Kind.BAUD, nonce) is not None:
                return True
            self.set_baud(before)
        return False
