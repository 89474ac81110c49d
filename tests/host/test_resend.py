# SPDX-License-Identifier: Apache-2.0
"""What the host sends again, and asks for again: after what says that frames were lost; once."""

from collections import deque

import pytest
from cobs import cobs

from antevolt.hdl.spec.link import AckFlag, Code, Description, Kind, LinkParameters
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.codec import Message, encode
from antevolt.host.link.hello import Hello
from antevolt.host.link.session import Session
from antevolt.sim.fuzz.session import Silent

LATER = 0.1  # seconds, longer than any pause
FRAMES = 4


class Script(Silent):
    """A line whose board says what it is told to, at times that reads alone take."""

    def __init__(self) -> None:
        super().__init__()
        self.comes: deque[bytes] = deque()
        self.said = bytearray()

    def write(self, data: bytes) -> None:
        super().write(data)
        self.said += data

    def frames(self) -> list[tuple[int, int, bytes]]:
        """Kind, number and payload of what the host wrote."""
        bodies = [cobs.decode(part) for part in bytes(self.said).split(b"\0") if part]
        return [(b[0], b[1] | b[2] << 8, b[3:-4]) for b in bodies]

    def clock(self) -> float:
        return self.now

    def read(self, seconds: float) -> bytes:
        self.now += seconds
        return self.comes.popleft() if self.comes else b""


class Host:
    """A session with frames under way, of which the board has said nothing yet; `selective`: it
    keeps what comes behind a gap."""

    def __init__(self, selective: bool = False, frames: int = FRAMES) -> None:
        self.line = Script()
        self.session = Session(self.line, deadline=5.0)
        self.session.line.set_baud(self.line.power_up_baud)
        link = LinkParameters(selective=selective)
        self.session.hello = Hello(Description(Machine(), link), 0, 0)
        self.session.line.heard_at = self.session.exchange.moved_at = 0.0
        for k in range(frames):
            self.session.send(Kind.ECHO, bytes([k]))
        self.line.said.clear()

    def hears(self, frame: bytes, after: float = LATER) -> int:
        """How many frames the host then sends again."""
        before = self.session.counts.resent
        self.line.now += after
        self.session.exchange.take(frame)
        return self.session.counts.resent - before

    def is_silent(self) -> None:
        """Until the host asks."""
        self.session.wait(lambda: self.session.counts.polls > 0, "question")

    def again(self, frame: bytes, after: float = LATER) -> list[int]:
        """Numbers of the frames that the host then sends again."""
        self.line.said.clear()
        self.hears(frame, after)
        return [number for kind, number, _ in self.line.frames() if kind == Kind.ECHO]

    def asks(self, frame: bytes, after: float = LATER) -> list[tuple[int, int]]:
        """From which frame on the host then asks for how many again."""
        self.line.said.clear()
        self.hears(frame, after)
        asked = [(n, p[0]) for kind, n, p in self.line.frames() if kind == Kind.ACK]
        return [(number, flags >> 2) for number, flags in asked if flags & AckFlag.RESEND]


def ack(expected: int) -> bytes:
    return encode(Kind.ACK, expected, bytes(4))


def error(code: Code, expected: int, missing: int = 0, until: int = 0) -> bytes:
    return encode(Kind.ERROR, expected, bytes((code, Kind.ECHO, missing, until)))


def echoed(number: int) -> bytes:
    return encode(Kind.ECHOED, number, bytes((number,)))


BROKEN = encode(Kind.ECHOED, 0, b"x")[:-3] + b"\1\0"
EARLY = encode(Kind.ECHOED, 5, b"x")


@pytest.mark.parametrize("code", [Code.CRC, Code.SHORT, Code.OVERSIZE, Code.SEQUENCE])
def test_all_that_is_under_way_from_the_missing_frame_on(code: Code) -> None:
    host = Host()
    assert host.hears(error(code, 1)) == FRAMES - 1
    assert host.hears(error(code, 1), after=0.0) == 0  # of frames that were under way then
    assert host.hears(error(code, 0)) == 0  # old news
    assert host.session.counts.missing_bytes == len(encode(Kind.ECHO, 1, b"\1"))


@pytest.mark.parametrize("frame", [BROKEN, EARLY])
def test_a_loss_from_the_board_says_nothing_of_frames_to_it(frame: bytes) -> None:
    """It is asked to send again; its answers, and those before, acknowledge and no more."""
    host = Host()
    before = host.line.written
    assert host.hears(frame) == 0
    assert host.line.written > before
    for expected in range(FRAMES + 1):
        assert host.hears(ack(expected)) == 0
    assert not host.session.sent


@pytest.mark.parametrize("frame", [BROKEN, EARLY])
def test_going_back_is_done_once(frame: bytes) -> None:
    """A frame from the board is lost while what was sent again is acknowledged bit by bit."""
    host = Host()
    assert host.hears(error(Code.SEQUENCE, 0)) == FRAMES
    assert host.hears(frame) == 0
    for expected in range(1, FRAMES + 1):
        assert host.hears(ack(expected)) == 0


def test_into_silence_the_answer_says_what_is_lost() -> None:
    host = Host()
    host.is_silent()
    assert host.session.counts.resent == 0
    assert host.hears(ack(2)) == FRAMES - 2
    assert host.hears(ack(3)) == 0  # no answer to a question


def test_what_is_sent_behind_the_question_is_not_lost() -> None:
    host = Host()
    host.is_silent()
    host.session.send(Kind.ECHO, b"new")
    assert host.hears(ack(FRAMES)) == 0
    assert host.hears(ack(FRAMES + 1)) == 0


def test_the_question_after_a_pause_of_the_host_is_no_loss() -> None:
    host = Host()
    host.session.acknowledge(AckFlag.REQUEST)
    assert host.hears(ack(1)) == 0


@pytest.mark.parametrize("code", [Code.MISSING, Code.CRC, Code.SHORT])
def test_what_is_missing_before_kept_frames_is_sent_alone(code: Code) -> None:
    host = Host(selective=True, frames=9)
    assert host.again(error(code, 1, missing=2, until=5)) == [1, 2]
    assert host.again(error(code, 1, missing=2, until=6), after=0.0) == []
    assert host.again(error(code, 1, missing=2, until=6)) == [1, 2]  # lost again
    assert host.again(error(code, 2, missing=1, until=5)) == [2]
    counts = host.session.counts
    assert (counts.resent, counts.resends) == (5, 3)
    assert counts.resent_bytes == counts.missing_bytes
    assert counts.kept == 4 * (code is Code.MISSING)


def test_behind_what_is_kept_all_is_sent_when_it_was_dropped() -> None:
    host = Host(selective=True, frames=9)
    assert host.again(error(Code.MISSING, 1, missing=1, until=3)) == [1]
    assert host.again(error(Code.SEQUENCE, 1, missing=1, until=4), after=0.0) == [5, 6, 7, 8]
    assert host.again(error(Code.SEQUENCE, 1, missing=1, until=4), after=0.0) == []
    assert host.again(error(Code.SEQUENCE, 5)) == [5, 6, 7, 8]  # nothing was kept
    assert host.again(error(Code.CREDIT, 7)) == [7, 8]


def test_a_broken_frame_is_named_by_the_next_that_comes() -> None:
    host = Host(selective=True, frames=4)
    assert host.again(error(Code.CRC, 1)) == []
    assert host.again(error(Code.MISSING, 1, missing=2, until=3), after=0.0) == [1, 2]
    host = Host(selective=True, frames=4)
    assert host.again(error(Code.CRC, 1)) == []
    assert host.again(error(Code.CRC, 1), after=0.0) == [1, 2]  # that one was broken, too
    assert host.again(error(Code.CRC, 1), after=0.0) == [3]
    host = Host(selective=True, frames=4)
    assert host.again(error(Code.CRC, 3)) == [3]  # there is no other
    assert host.again(error(Code.CRC, 4), after=0.0) == []


def test_after_silence_what_is_kept_is_not_sent() -> None:
    host = Host(selective=True, frames=6)
    assert host.again(error(Code.MISSING, 1, missing=1, until=3)) == [1]
    host.is_silent()
    assert host.again(ack(1)) == [1, 4, 5]


def test_a_board_cannot_keep_what_it_expects() -> None:
    """Nonsense about frames that it says to keep does no lasting harm."""
    host = Host(selective=True, frames=4)
    assert host.again(error(Code.MISSING, 0, missing=1, until=255)) == [0]
    assert host.again(error(Code.MISSING, 2, missing=1, until=2)) == [2]
    assert host.again(error(Code.MISSING, 3, missing=255, until=0)) == [3]


def test_frames_from_the_board_are_kept_behind_a_gap() -> None:
    """And asked for once, and again when more are missing."""
    host = Host(selective=True)
    session = host.session
    assert host.asks(echoed(0)) == []
    assert host.asks(echoed(3)) == [(1, 2)]
    assert host.asks(echoed(4) + echoed(8), after=0.0) == []
    assert host.asks(echoed(3), after=0.0) == []
    assert host.asks(echoed(1), after=0.0) == []
    assert host.asks(echoed(2), after=0.0) == [(5, 3)]
    assert [m.sequence for m in session.inbox] == [0, 1, 2, 3, 4]
    assert host.asks(echoed(5) + echoed(6) + echoed(7), after=0.0) == []
    assert [m.sequence for m in session.inbox] == list(range(9))
    counts = session.counts
    assert (counts.received, counts.early, counts.repeated, counts.gaps) == (9, 3, 1, 2)


def test_a_broken_frame_from_the_board_is_one_first() -> None:
    host = Host(selective=True)
    assert host.asks(BROKEN) == [(0, 1)]
    assert host.asks(echoed(1), after=0.0) == []
    assert host.asks(echoed(0) + BROKEN + BROKEN, after=0.0) == [(2, 1)]
    assert host.asks(echoed(4), after=0.0) == [(2, 2)]
    host = Host(selective=False)
    assert host.asks(BROKEN) == [(0, 0)]  # all
    assert host.asks(echoed(70)) == [(0, 0)]
    host = Host(selective=True)
    assert host.asks(echoed(64)) == [(0, 0)]  # more than can be said


def test_what_is_kept_has_bounds() -> None:
    host = Host(selective=True)
    arrivals = host.session.arrivals
    frame = Message(Kind.ECHOED, 5, bytes(98))
    assert arrivals.arrive(frame, 150)
    assert arrivals.arrive(frame._replace(sequence=6), 150)
    assert arrivals.arrive(frame._replace(sequence=5), 150)
    assert host.session.counts.early == 1
    for number in range(5):
        host.hears(echoed(number))
    assert arrivals.expected == 6


def test_a_question_that_was_lost_is_not_answered_by_what_was_sent_since() -> None:
    host = Host(selective=True, frames=2)
    host.is_silent()
    assert host.again(error(Code.CRC, 0)) == []
    assert host.again(error(Code.CRC, 0), after=0.0) == [0, 1]
    assert host.again(ack(1), after=0.001) == []


def test_into_silence_what_was_sent_since_the_question_is_not_lost() -> None:
    for selective, frames in ((True, [0, 1, 2, 3]), (False, [0, 1, 2, 3, 4])):
        host = Host(selective, frames=4)
        host.is_silent()
        host.session.send(Kind.ECHO, b"new")
        assert host.again(ack(0), after=0.001) == frames  # a board that goes back drops that


def test_a_line_keeps_its_order() -> None:
    """What was sent again just now is lost when a frame came that was sent behind it."""
    host = Host(selective=True, frames=3)
    assert host.again(error(Code.CRC, 0)) == []
    assert host.again(error(Code.CRC, 0), after=0.0) == [0, 1]
    assert host.again(error(Code.MISSING, 0, missing=2, until=3), after=0.001) == []
    host.session.send(Kind.ECHO, b"behind")
    assert host.again(error(Code.MISSING, 0, missing=2, until=4), after=0.001) == [0, 1]
    assert host.again(error(Code.MISSING, 0, missing=2, until=4), after=0.001) == []


def test_what_is_missing_is_taken_in_its_order() -> None:
    """Behind one that is sent again, the others came too early."""
    host = Host(selective=True, frames=5)
    assert host.again(error(Code.CRC, 0)) == []
    assert host.again(error(Code.CRC, 0), after=0.0) == [0, 1]
    assert host.again(error(Code.MISSING, 0, missing=3, until=4), after=0.006) == [2]
    assert host.again(error(Code.MISSING, 0, missing=3, until=4), after=0.006) == [0, 1, 2]


def test_after_a_loss_a_delimiter_comes_first() -> None:
    """What was lost may be that of the frame before, with which the next one would be broken."""
    host = Host(selective=True, frames=2)
    host.line.said.clear()
    host.is_silent()
    assert host.line.said.startswith(b"\0")
    host.again(ack(1))
    assert host.line.said.startswith(b"\0")
    host.again(error(Code.CRC, 1))
    assert host.line.said.startswith(b"\0")


def test_a_frame_that_was_dropped_has_come() -> None:
    """And with it the place of one of its kind."""
    host = Host(selective=True, frames=2)
    assert host.again(error(Code.MISSING, 0, missing=1, until=2)) == [0]
    host.session.send(Kind.WRITE, b"behind")
    dropped = encode(Kind.ERROR, 0, bytes((Code.SEQUENCE, Kind.WRITE, 1, 2)))
    assert host.again(dropped, after=0.001) == [0]
    assert [f.times for f in host.session.sent.frames()] == [2, 0, 1]
    dropped = encode(Kind.ERROR, 0, bytes((Code.SEQUENCE, Kind.ECHO, 1, 2)))
    assert host.again(dropped, after=0.001) == []  # that may be from before
