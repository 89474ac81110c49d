# SPDX-License-Identifier: Apache-2.0
"""When the host goes back: after what says that a frame to the board was lost, and then once."""

from collections import deque

import pytest

from antevolt.hdl.spec.link import AckFlag, Code, Description, Kind, LinkParameters
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.codec import encode
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

    def clock(self) -> float:
        return self.now

    def read(self, seconds: float) -> bytes:
        self.now += seconds
        return self.comes.popleft() if self.comes else b""


class Host:
    """A session with `FRAMES` frames under way, of which the board has said nothing yet."""

    def __init__(self) -> None:
        self.line = Script()
        self.session = Session(self.line, deadline=5.0)
        self.session.line.set_baud(self.line.power_up_baud)
        self.session._hello = Hello(Description(Machine(), LinkParameters()), 0, 0)
        self.session.line.heard_at = self.session._moved_at = 0.0
        for k in range(FRAMES):
            self.session.send(Kind.ECHO, bytes([k]))

    def hears(self, frame: bytes, after: float = LATER) -> int:
        """How many frames the host then sends again."""
        before = self.session.counts.resent
        self.line.now += after
        self.session._take(frame)
        return self.session.counts.resent - before


def ack(expected: int) -> bytes:
    return encode(Kind.ACK, expected, bytes(4))


def error(code: Code, expected: int) -> bytes:
    return encode(Kind.ERROR, expected, bytes((code, Kind.ECHO)))


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
    while not host.session.counts.polls:
        host.session._turn()
    assert host.session.counts.resent == 0
    assert host.hears(ack(2)) == FRAMES - 2
    assert host.hears(ack(3)) == 0  # no answer to a question


def test_what_is_sent_behind_the_question_is_not_lost() -> None:
    host = Host()
    while not host.session.counts.polls:
        host.session._turn()
    host.session.send(Kind.ECHO, b"new")
    assert host.hears(ack(FRAMES)) == 0
    assert host.hears(ack(FRAMES + 1)) == 0


def test_the_question_after_a_pause_of_the_host_is_no_loss() -> None:
    host = Host()
    host.session.acknowledge(AckFlag.REQUEST)
    assert host.hears(ack(1)) == 0
