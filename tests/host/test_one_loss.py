# SPDX-License-Identifier: Apache-2.0
"""What it costs when frames are lost between the host and a simulated board: bytes, and time."""

from random import Random
from typing import Any

import pytest

from antevolt.hdl.spec.link import Kind, LinkParameters
from antevolt.host.link import codec
from antevolt.host.link.session import Session
from antevolt.sim.rtl.byte_line import BACK, LARGE, SMALL, ByteLine
from antevolt.sim.rtl.byte_top import byte_line

SIZE, FRAMES, LOST = 60, 60, 20  # bytes of a frame, frames, the first that is lost


class Losing:
    """A line that loses some frames in order, once, when they first go one way."""

    def __init__(self, wire: ByteLine, way: str, lost: range):
        self._wire, self._kept = wire, b""
        self._lost = {"to": set[int](), "from": set[int](), way: set(lost)}
        self._seen = {"to": 0, "from": 0}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def _passes(self, way: str, kind: int) -> bool:
        if not Kind(kind).sequenced:
            return True
        number, self._seen[way] = self._seen[way], self._seen[way] + 1
        return number not in self._lost[way]

    def write(self, data: bytes) -> None:
        if self._passes("to", codec.cobs.decode(data.strip(b"\0"))[0]):
            self._wire.write(data)

    def read(self, seconds: float) -> bytes:
        *whole, self._kept = (self._kept + self._wire.read(seconds)).split(b"\0")
        kinds = [codec.cobs.decode(body)[0] for body in whole if body]
        bodies = [body for body in whole if body]
        return b"".join(
            body + b"\0" for body, k in zip(bodies, kinds, strict=True) if self._passes("from", k)
        )


def traffic(link: LinkParameters, way: str, lost: range) -> tuple[Session, float]:
    """A session after its frames, and the line's time that they took: the same in every run."""
    session = Session(byte_line(link), draw=Random(2))
    session.connect()
    session.transport = session.line.transport = Losing(session.transport, way, lost)
    data, begin, back = Random(1).randbytes(SIZE * FRAMES), session.transport.clock(), b""
    for k in range(FRAMES):
        session.send(Kind.ECHO, data[SIZE * k : SIZE * (k + 1)])
        while session.inbox:
            back += session.inbox.popleft().payload
    while len(back) < len(data):
        back += session.receive("echo").payload
    session.flush()
    assert back == data
    assert session.counts.accepted == session.counts.sent
    taken = session.transport.clock() - begin
    session.close()
    return session, taken


@pytest.mark.parametrize("link", [LARGE, SMALL])
@pytest.mark.parametrize("count", [1, 3])
def test_to_the_board(link: LinkParameters, count: int) -> None:
    """Just these frames go again, and the rest does not wait longer than for a round trip."""
    whole, undisturbed = traffic(link, "to", range(0))
    assert whole.counts.resent == 0
    session, taken = traffic(link, "to", range(LOST, LOST + count))
    counts, frame = session.counts, len(codec.encode(Kind.ECHO, 0, bytes(SIZE)))
    assert counts.resent == count
    assert counts.resent_bytes == counts.missing_bytes <= count * (frame + 2)
    assert counts.kept > 0
    assert counts.polls == 0
    round_trip = (link.receive_bytes + link.send_bytes) * 10 / session.baud
    assert taken < undisturbed + round_trip


@pytest.mark.parametrize("link", [LARGE, SMALL])
def test_from_the_board(link: LinkParameters) -> None:
    session, _ = traffic(link, "from", range(LOST // 2, LOST // 2 + 2))
    counts = session.counts
    assert counts.gaps == 1
    assert counts.repeated == 0
    assert counts.early > 0
    assert counts.resent == 0


def test_a_board_that_keeps_nothing_costs_more() -> None:
    """All that follows goes again."""
    frame = len(codec.encode(Kind.ECHO, 0, bytes(SIZE)))
    there, _ = traffic(BACK, "to", range(LOST, LOST + 1))
    assert there.counts.resent > 5
    assert there.counts.resent_bytes > there.counts.missing_bytes + 5 * frame
    # behind one of the last ones, nothing need be under way when the host asks
    back, _ = traffic(BACK, "from", range(2, 14, 4))
    assert back.counts.repeated > 3
