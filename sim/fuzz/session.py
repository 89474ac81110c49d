# SPDX-License-Identifier: Apache-2.0
"""The host's session with a board that says anything at any time."""

from random import Random

from antevolt.hdl.spec.link import Description, Kind, LinkParameters
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.hello import Hello
from antevolt.host.link.session import Session
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.decoder import framed, frames
from antevolt.sim.fuzz.mutate import changed_bytes

__all__ = ["SessionTarget"]

POOL = 500
BAUD = 1_000_000
HELD = 1 << 16  # bytes of frames that a host may have to keep


class Silent:
    """A transport that gives what it was given, and drops what is written."""

    name, power_up_baud, latency, silence = "fuzz", BAUD, 0.0, 2.0

    def __init__(self) -> None:
        self.given, self.written, self.now = b"", 0, 0.0

    def clock(self) -> float:
        self.now += 0.01
        return self.now

    def write(self, data: bytes) -> None:
        self.written += len(data)

    def waiting(self) -> int:
        return 0

    def read(self, seconds: float) -> bytes:
        data, self.given = self.given, b""
        return data

    def set_baud(self, baud: int) -> None:
        pass

    def close(self) -> None:
        pass


class SessionTarget:
    """Frames of a board in any order, numbered right or not, some of them changed."""

    name, block, refusals = "session", 200, ()

    def __init__(self) -> None:
        self._bodies = frames(Random("frames"), POOL)
        self.begin()

    def begin(self) -> None:
        self._line = Silent()
        self._session = Session(self._line, deadline=1.0)
        self._session.line.set_baud(BAUD)
        self._session.hello = Hello(Description(Machine(), LinkParameters()), 0, 1)

    def draw(self, draw: Random) -> bytes:
        parts = []
        for _ in range(draw.randint(1, 4)):
            body = self._bodies[int(draw.random() * POOL)]
            if draw.random() < 0.6:  # as the session expects it
                number = self._session.arrivals.expected if Kind(body[0]).sequenced else 0
                body = body[:1] + number.to_bytes(2, "little") + body[3:]
            if draw.random() < 0.3:
                body = changed_bytes(draw, body, self._bodies) or b"\0"
            frame = framed(body)
            if draw.random() < 0.2:
                frame = changed_bytes(draw, frame, self._bodies)
            parts.append(frame)
        return b"".join(parts)

    def feed(self, item: bytes) -> None:
        session = self._session
        if len(session.sent) < 3:
            session.send(Kind.ECHO, b"fuzz")
        self._line.given = item
        try:
            session.poll()
        finally:
            session.inbox.clear()
            if len(session.sent) > 4:
                raise Wrong(f"{len(session.sent)} frames are under way")
            if self._line.written > HELD:
                raise Wrong(f"{self._line.written} bytes were answered")
            self._line.written = 0
