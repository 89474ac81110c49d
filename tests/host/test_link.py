# SPDX-License-Identifier: Apache-2.0
"""A session with a simulated board: all its traffic, and all that it must refuse or survive."""

import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import Closed, LinkLost, NoPort, Refused
from antevolt.hdl.spec.link import (
    GAP_MOST,
    PAYLOAD_BYTES,
    VERSION,
    Code,
    Kind,
    memory_limits,
)
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.host.link import codec
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.heartbeat import Heartbeat
from antevolt.host.link.session import Session
from antevolt.host.link.transport import RateRefused
from antevolt.sim.rtl.byte_line import ByteLine
from antevolt.sim.rtl.byte_top import byte_line
from antevolt.sim.rtl.echo_core import DEPTH, WORD
from antevolt.sim.rtl.echo_top import FAST, MACHINE, board, line
from antevolt.sim.rtl.line import SimulatedLine
from antevolt.sim.rtl.lines import LINES

VALID, TARGET = 1, 9
REGION = Region.COEFFICIENTS


@pytest.fixture
def opened() -> Iterator[LinkBackend]:
    backend = board()
    yield backend
    backend.close()


def messages(wire: SimulatedLine, seconds: float = 0.01) -> list[codec.Message | None]:
    """What the board says, at the rate of power-up."""
    decoder, end, found = codec.Decoder(), wire.clock() + seconds, []
    while wire.clock() < end:
        found += decoder.feed(wire.read(0.002))
    return found


def test_who_is_there(opened: LinkBackend) -> None:
    hello = opened.session.hello
    assert hello.description.machine == MACHINE == opened.machine
    assert hello.description.link.clock_hz == FAST.clock_hz
    assert opened.session.baud == FAST.fastest_baud
    assert hello.fingerprint == 0


def test_words_come_back(opened: LinkBackend) -> None:
    draw = Random(1)
    words = [draw.getrandbits(DATA_BITS) for _ in range(DEPTH)]
    opened.write(REGION, 0, 0, words)
    assert opened.read(REGION, 0, 0, DEPTH).tolist() == words
    assert opened.read(REGION, 0, 7, 1).tolist() == words[7:8]


@pytest.mark.parametrize("alike", [True, False])
def test_steps(opened: LinkBackend, alike: bool) -> None:
    """Outputs with their flags, whether those are the same for all or change with every word."""
    rng, steps = np.random.default_rng(2), 400
    x = rng.integers(-40, 40, steps)
    flags = np.full(steps, VALID) if alike else rng.integers(0, 32, steps)
    wanted = flags & 8 != 0  # all that this core looks at
    flags[wanted] |= VALID
    y = rng.integers(-900, 900, np.count_nonzero(wanted))
    mask = (1 << WORD) - 1
    out = opened.run(x & mask | flags << WORD, y & mask, steps, 1)
    expected = 2 * x
    expected[wanted] += y
    assert np.array_equal(out, expected & mask | flags << WORD)
    assert opened.session.counts.resent == 0


def test_payload_uses_the_line(opened: LinkBackend) -> None:
    """80 % of the line's rate, both ways at once."""
    session, count = opened.session, 60
    data, start = Random(3).randbytes(PAYLOAD_BYTES), session.transport.clock()
    came = 0
    for _ in range(count):
        session.send(Kind.ECHO, data)
        while session.inbox:
            came += len(session.inbox.popleft().payload)
    while came < count * len(data):
        came += len(session.receive("echo").payload)
    rate = count * len(data) / (session.transport.clock() - start)
    assert rate >= 0.75 * session.baud / 10  # the start and the end count here too


def test_counts_agree(opened: LinkBackend) -> None:
    opened.session.echo(b"abc")
    opened.check_counts()
    counted = opened.counters()
    assert counted.pop("ACCEPTED") == opened.session.counts.sent > 0
    assert set(counted.values()) == {0}


class Forgetful:
    """A line that loses the next acknowledgement of the board once it is told to."""

    def __init__(self, wire: ByteLine):
        self._wire, self._kept, self.loses = wire, b"", False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def read(self, seconds: float) -> bytes:
        *whole, self._kept = (self._kept + self._wire.read(seconds)).split(b"\0")
        came = b""
        for body in whole:
            frame = body + b"\0"
            message = next(iter(codec.Decoder().feed(frame)), None)
            if self.loses and message is not None and message.kind is Kind.ACK:
                self.loses = False
            else:
                came += frame
        return came


class Limited:
    """A line that loses all bytes to the board at rates above one, or refuses such a rate."""

    def __init__(self, wire: ByteLine, most: int, refuses: bool):
        self._wire, self._most, self._refuses, self._baud = wire, most, refuses, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wire, name)

    def set_baud(self, baud: int) -> None:
        if self._refuses and baud > self._most:
            raise RateRefused(f"{baud}")
        self._baud = baud
        self._wire.set_baud(baud)

    def write(self, data: bytes) -> None:
        if self._baud <= self._most:
            self._wire.write(data)


@pytest.mark.parametrize("refuses", [False, True])
def test_the_fastest_rate_that_works(refuses: bool) -> None:
    wire = Limited(byte_line(), 1_000_000, refuses)
    session = Session(wire)
    session.connect()
    assert session.baud == 750_000
    assert session.echo(b"slow")
    session.close()


def test_counts_agree_though_the_last_acknowledgement_was_lost() -> None:
    """An answer comes in a frame of its own, and is no acknowledgement of the question."""
    wire = Forgetful(byte_line())
    session = Session(wire)
    session.connect()
    backend = LinkBackend(session)
    wire.loses = True
    backend.check_counts()
    assert not wire.loses
    assert session.counts.polls == 1  # into the silence after it
    backend.close()


def test_a_program_has_a_fingerprint(opened: LinkBackend) -> None:
    opened.set_fingerprint(0xDEADBEEF)
    opened.session.flush()
    assert fingerprint(opened) == 0xDEADBEEF
    opened.write(REGION, 0, 0, [1])
    assert fingerprint(opened) == 0xDEADBEEF
    opened.write(Region.PROGRAM, 0, 0, [1])
    assert fingerprint(opened) == 0


@pytest.mark.parametrize(
    "call", [LinkBackend.counters, LinkBackend.check_counts, lambda board: board.set_fingerprint(1)]
)
def test_a_board_that_did_not_answer_is_asked_no_more(call: Callable[[LinkBackend], Any]) -> None:
    """When it is closed, so that the error of the call is the one that is seen."""
    wire = byte_line()
    session = Session(wire)
    session.connect()
    backend = LinkBackend(session)
    session.lost = LinkLost("unplugged")
    with pytest.raises(LinkLost, match="unplugged"):
        call(backend)
    backend.close()


def fingerprint(backend: LinkBackend) -> int:
    return int(backend.read(15, 0, 14, 1)[0])  # type: ignore[arg-type]


def test_silent_until_hello() -> None:
    """Whatever comes: the first thing a board says answers HELLO."""
    wire = line()
    assert messages(wire) == []
    wire.write(b"\0" + codec.encode(Kind.ECHO, 0, b"abc") + Random(4).randbytes(60) + b"\0")
    wire.write(codec.encode(Kind.ACK, 0, b"\2") + codec.encode(Kind.HELLO, 1, b"\x63"))
    assert messages(wire, 0.03) == []
    wire.write(codec.encode(Kind.HELLO, 77, bytes((VERSION,))))
    found = [m for m in messages(wire, 0.03) if m is not None]
    assert [(m.kind, m.sequence) for m in found][:1] == [(Kind.HELLO, 77)]


REFUSED = [
    (Code.KIND, Kind.OUT, b"abc"),
    (Code.LENGTH, Kind.X, b"\1\2"),
    (Code.LENGTH, Kind.Y, b"123456"),
    (Code.LENGTH, Kind.WRITE, bytes((3, 0, 0, 0, 1))),
    (Code.LENGTH, Kind.READ, bytes((3, 0, 0, 0, 1))),
    (Code.RANGE, Kind.READ, bytes((14, 0, 0, 0, 1, 0))),
    (Code.RANGE, Kind.READ, bytes((REGION, 1, 0, 0, 1, 0))),
    (Code.RANGE, Kind.READ, bytes((REGION, 0, 0, 0, 0, 0))),
    (Code.RANGE, Kind.READ, bytes((REGION, 0, 0xFF, 0xFF, 1, 0))),
    (Code.RANGE, Kind.WRITE, bytes((REGION, 0, 0xFF, 0xFF)) + codec.pack(np.array([1]), 36)),
    (Code.RANGE, Kind.WRITE, bytes((Region.MOMENTS, 0, 0, 0)) + codec.pack(np.array([1]), 36)),
]


@pytest.mark.parametrize(("code", "kind", "payload"), REFUSED)
def test_refused(opened: LinkBackend, code: Code, kind: Kind, payload: bytes) -> None:
    """Dropped, counted, answered; nothing has changed, and the session goes on."""
    words = list(range(1, DEPTH + 1))
    opened.write(REGION, 0, 0, words)
    opened.session.flush()
    session = opened.session
    session.transport.write(codec.encode(kind, session.sent.next, payload))
    with pytest.raises(Refused, match=code.name):
        session.wait(lambda: False, "an error")
    assert opened.read(REGION, 0, 0, DEPTH).tolist() == words
    assert opened.counters()[code.name] == 1


def test_limits_to_the_word(opened: LinkBackend) -> None:
    """The last word of every region can be read; the one behind it cannot."""
    for region, (units, words) in memory_limits(MACHINE).items():
        if words:
            opened.read(region, units - 1, words - 1, 1)  # type: ignore[arg-type]
            place = bytes((region, units - 1)) + words.to_bytes(2, "little") + b"\1\0"
            session = opened.session
            session.transport.write(codec.encode(Kind.READ, session.sent.next, place))
            with pytest.raises(Refused, match="RANGE"):
                session.wait(lambda: False, "an error")


def test_oversize_and_early(opened: LinkBackend) -> None:
    session = opened.session
    session.transport.write(b"\1" * 600 + b"\0" + b"\3ab\0")
    session.transport.write(codec.encode(Kind.ECHO, session.sent.next + GAP_MOST, b"early"))
    assert session.echo(b"in time")
    counted = opened.counters()
    assert (counted["OVERSIZE"], counted["SHORT"], counted["SEQUENCE"]) == (1, 1, 1)


def test_a_frame_that_comes_again(opened: LinkBackend) -> None:
    session = opened.session
    assert session.echo(b"once")
    session.transport.write(codec.encode(Kind.ECHO, session.sent.next - 1, b"once"))
    assert session.echo(b"twice")
    assert opened.counters()["DUPLICATES"] == 1


def test_a_hanging_core_is_reset(opened: LinkBackend) -> None:
    """99 is never answered: the buffers fill up behind it, and a reset frame still works."""
    session = opened.session
    payload = codec.pack(np.array([99]), WORD)
    session.send(Kind.X, bytes((VALID,)) + payload)
    session.send(Kind.READ, bytes((REGION, 0, 0, 0, 1, 0)))
    for _ in range(8):
        session.send(Kind.ECHO, bytes(PAYLOAD_BYTES))
    session.flush()
    session.reset()
    assert session.echo(b"well again")
    assert not session.inbox


def test_no_credit_is_noticed(opened: LinkBackend) -> None:
    """A host that sends more than it may: dropped, and sent again when there is room."""
    session = opened.session
    session.send(Kind.X, bytes((VALID,)) + codec.pack(np.array([99]), WORD))
    session.send(Kind.READ, bytes((REGION, 0, 0, 0, 1, 0)))
    session.sent._used -= 1 << 20
    for _ in range(10):
        session.send(Kind.ECHO, bytes(PAYLOAD_BYTES))
    session.wait(lambda: session.counts.errors.get("CREDIT", 0) >= 1, "refusal")
    session.reset()
    assert session.echo(b"well again")


def test_a_board_that_hears_nothing_goes_back(opened: LinkBackend) -> None:
    session, wire = opened.session, opened.session.transport
    end = wire.clock() + 2 * FAST.silence
    while wire.clock() < end:
        wire.read(0.01)
    assert session.echo(b"still there")
    assert session.counts.renewals == 1
    assert session.baud == FAST.fastest_baud


def test_switched_off(opened: LinkBackend) -> None:
    wire = opened.session.transport
    assert isinstance(wire, SimulatedLine)
    wire.power_up()
    with pytest.raises(LinkLost, match="switched off"):
        opened.session.echo(b"anybody?")
    opened._well = False


@pytest.mark.parametrize("level", [1, 2])
def test_nobody_there(level: int) -> None:
    wire = line()
    wire.stuck = level
    session = Session(wire)
    session.line.baud = wire.power_up_baud
    with pytest.raises(NoPort, match="no board answers"):
        session.ask(2)


def test_closed() -> None:
    backend = board()
    backend.close()
    backend.close()
    with pytest.raises(Closed):
        backend.read(REGION, 0, 0, 1)


def test_bytes_without_bits() -> None:
    """The same session over both lines: the board says the same, time that is skipped or not."""
    said = []
    for name in ("bytes", "bits"):
        wire = LINES[name]()
        wire.write(b"\0" + codec.encode(Kind.HELLO, 9, bytes((VERSION,))))
        wire.write(codec.encode(Kind.RESET, 7) + codec.encode(Kind.ECHO, 7, b"abc"))
        wire.write(codec.encode(Kind.ECHO, 8, b"")[:-2] + b"\0" + b"\1" * 300 + b"\0")
        wire.write(codec.encode(Kind.ECHO, 9, b"early"))
        decoder, end, found = codec.Decoder(), wire.clock() + 0.2, []
        while wire.clock() < end:
            found += decoder.feed(wire.read(0.05))
        wire.close()
        said.append([m for m in found if m is not None and m.kind is not Kind.HELLO])
    assert said[0] == said[1]
    assert {m.kind for m in said[0]} == {Kind.RESET, Kind.ECHOED, Kind.ACK, Kind.ERROR}


def test_mute_after_silence_that_is_skipped() -> None:
    """Time that is left out counts for the board, which falls silent in it when it should."""
    wire = byte_line()
    session = Session(wire)
    session.connect()
    for silence, renewals in ((0.99, 0), (1.01, 1)):
        idle(wire, silence)
        assert session.echo(b"still there")
        assert session.counts.renewals == renewals
    wire.close()


def idle(wire: ByteLine, spans: float) -> None:
    """So many times the board's silence pass."""
    end = wire.clock() + spans * wire.silence
    while wire.clock() < end:
        wire.read(end - wire.clock())


def test_a_heartbeat_keeps_the_board_awake() -> None:
    wire = byte_line()
    session = Session(wire)
    session.connect()
    said = session.counts.bytes_out
    session.beat()
    assert session.counts.bytes_out == said  # it has just been asked
    for _ in range(5):
        idle(wire, 0.6)
        session.beat()
    assert session.counts.bytes_out == said + 5 * len(codec.encode(Kind.ACK, 0, b"\2"))
    assert session.echo(b"awake")
    assert session.counts.renewals == 0
    wire.close()


def test_a_heartbeat_notices_a_board_that_was_off() -> None:
    """In its thread; the next call says so, whatever it is."""
    wire = byte_line()
    session = Session(wire)
    session.connect()
    idle(wire, 0.6)
    wire.power_up()
    heart = Heartbeat(session)
    end = time.monotonic() + 60
    while session.lost is None and time.monotonic() < end:
        time.sleep(0.05)
    heart.stop()
    heart.stop()
    for call in (lambda: session.send(Kind.ECHO, b"x"), session.flush):
        with pytest.raises(LinkLost, match=r"switched off.*while nothing was asked"):
            call()
    wire.close()
