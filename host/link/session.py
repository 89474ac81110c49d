# SPDX-License-Identifier: Apache-2.0
"""A session with a board: frames in order, once each, both ways, over a line that may err.

Lost frames are sent again from the first lost one on ("go back"): a line keeps the order, so what
follows a gap would have to be kept by the board, in as much memory as the whole window. Timers
run in the host alone, by the transport's clock; the board only answers. Nothing waits longer than
`deadline`, nor on a board that is silent for long.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable

from antevolt.hdl.spec.errors import (
    AntevoltError,
    Closed,
    DeadlineExceeded,
    LinkLost,
    NoPort,
    Refused,
)
from antevolt.hdl.spec.link import (
    ENTRY_BYTES,
    SLACK_BYTES,
    VERSION,
    AckFlag,
    Code,
    Description,
    Kind,
)
from antevolt.host.link.codec import LONGEST, Decoder, Message, encode
from antevolt.host.link.counts import Counts
from antevolt.host.link.hello import Hello, hello_of
from antevolt.host.link.transport import Transport
from antevolt.host.link.window import WHOLE, Window

__all__ = ["IDLE", "REPLIES", "Session"]

BITS = 10  # of a byte on the line
SILENT = 1.5  # times the board's silence: without a good frame that long the link is made anew
IDLE = 0.5  # times its silence: without a word that long, the board is asked before anything else
TRIES = 8
REPLIES = 16  # that are kept: who asks looks for one of its own
ECHO_BYTES, ECHOES = 200, 4  # that prove a new rate
HALF = WHOLE // 2
AGAIN = (Code.CRC, Code.SHORT, Code.OVERSIZE, Code.SEQUENCE, Code.CREDIT)


class Session:
    """Made by `Session(transport)`; then `connect`.

    deadline  seconds that any one call may wait
    baud      the fastest rate to use; None: the board's
    lost      why the board is gone, when that was noticed between two calls (`heartbeat.py`)

    All methods raise LinkLost when the board is silent or was reset, DeadlineExceeded, and Refused.
    """

    def __init__(self, transport: Transport, deadline: float = 60.0, baud: int | None = None):
        self.transport, self.deadline, self.fastest = transport, deadline, baud
        self.counts = Counts()
        self.baud = 0
        self.inbox: deque[Message] = deque()
        self._decoder = Decoder()
        self._hello: Hello | None = None
        self._replies: deque[Message] = deque(maxlen=REPLIES)
        self._expected = self._session = 0
        self._gap = -1  # the frame from the board that was missing last
        self._sent = Window()
        self._owed = 0  # bytes that came and are not acknowledged
        self._resent_at = self._asked_at = self._heard_at = self._moved_at = -1e9
        self._spoke_at = 0.0
        self._polled: int | None = None  # the next frame when the board was asked into silence
        self._patience = 1.0  # grows with every question into silence: a board may be slow
        self._end = float("inf")
        self._alone = threading.RLock()  # of a call, or of a heartbeat
        self.lost: AntevoltError | None = None

    @property
    def hello(self) -> Hello:
        """What the board said last; raises Closed before `connect`."""
        if self._hello is None:
            raise Closed("there is no session; connect first")
        return self._hello

    @property
    def number(self) -> int:
        """Of the session, drawn anew in each reset; 0 before the first."""
        return self._session

    @property
    def window(self) -> int:
        """Bytes of the board's receive buffer that may be in use."""
        return self.hello.description.link.receive_bytes - SLACK_BYTES

    def take_fullest(self) -> int:
        """The most bytes of that buffer in use at once since the last call."""
        return self._sent.take_fullest()

    def ask(self, tries: int = TRIES) -> Hello:
        """Who is there, at the rate of power-up; raises NoPort when nobody answers."""
        self._start()
        nonce = secrets.randbelow(WHOLE)
        frame = encode(Kind.HELLO, nonce, bytes((VERSION,)))
        for number in range(tries):
            reply = self._question(b"\0" + frame, Kind.HELLO, nonce, 1 + number)
            if reply is not None:
                self._hello = hello_of(reply.payload)
                return self._hello
        raise NoPort(
            f"no board answers on {self.transport.name}; is it switched on and programmed, and is "
            "this its port? (`antevolt devices` asks all ports)"
        )

    def connect(self) -> Hello:
        """Ask who is there, reset the board, and agree on the fastest rate that works."""
        self._rate(self.transport.power_up_baud)
        hello = self.ask()
        self.reset()
        self._speed_up(hello.description)
        return hello

    def reset(self) -> None:
        """Reset the board's core and buffers; what was under way is gone."""
        with self._alone:
            self._reset()

    def send(self, kind: Kind, payload: bytes) -> None:
        """One sequenced frame; waits for room in the board's buffer."""
        limit = self.window
        with self._alone:
            self.wait(lambda: self._sent.fits(payload, limit), "room in its buffer")
            if not self._sent:
                self._wake_late()
            data = self._sent.put(kind, payload)
            self.counts.sent += 1
            self._write(data)

    def flush(self) -> None:
        """Until the board has acknowledged everything."""
        self.wait(lambda: not self._sent, "an acknowledgement")

    def receive(self, what: str) -> Message:
        """The next sequenced frame."""
        self.wait(lambda: bool(self.inbox), what)
        return self.inbox.popleft()

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Read, answer and ask until `done`."""
        if self.lost is not None:
            raise LinkLost(f"{self.lost} (noticed while nothing was asked of it)") from self.lost
        if done():
            return
        with self._alone:
            self._start()
            self._wake()
            while not done():
                self._turn()
                if time.monotonic() > self._end:
                    raise DeadlineExceeded(
                        f"{self.transport.name}: no {what} within {self.deadline:g} s"
                    )

    def beat(self) -> None:
        """Ask a board that heard nothing for half the time after which it would fall silent."""
        with self._alone:
            self._wake_late()

    def poll(self) -> None:
        """Take what has come, without waiting."""
        with self._alone:
            self._take(self.transport.read(0.0))

    def echo(self, data: bytes) -> bool:
        """Whether these bytes come back."""
        self.send(Kind.ECHO, data)
        back = b""
        while len(back) < len(data):
            message = self.receive("echo")
            if message.kind is not Kind.ECHOED:
                return False
            back += message.payload
        return back == data

    def close(self) -> None:
        self.transport.close()

    def _reset(self) -> None:
        self._start()
        session = 1 + secrets.randbelow(WHOLE - 1)
        frame = encode(Kind.RESET, session)
        for number in range(TRIES):
            if self._question(b"\0" + frame, Kind.RESET, session, 1 + number) is not None:
                break
        else:
            raise LinkLost(f"{self.transport.name} does not answer a reset; switch it off and on")
        self._session = self._expected = session
        self._sent.start(session)
        self._gap, self._polled = -1, None
        self.inbox.clear()
        self._owed = 0
        self.counts.sent = self.counts.accepted = 0

    def _start(self) -> None:
        self._end = time.monotonic() + self.deadline

    def _wake_late(self) -> None:
        if self.transport.clock() - self._spoke_at >= IDLE * self.transport.silence:
            self._start()
            self._wake()

    def _wake(self) -> None:
        """After a while without a word, the board may have gone back to the rate of power-up."""
        now = self.transport.clock()
        if now - self._spoke_at < IDLE * self.transport.silence:
            self._heard_at = max(self._heard_at, self._spoke_at)
            return
        self._acknowledge(AckFlag.REQUEST)
        end = now + self._pause
        while self.transport.clock() < end:
            if self._take(self.transport.read(self._pause)):
                return
        self._renew()

    @property
    def _pause(self) -> float:
        """Seconds of silence that mean a loss: what is under way, and an answer to it."""
        under_way = self.transport.waiting() + self._sent.bytes_under_way
        return self.transport.latency + (under_way + 3 * LONGEST) * BITS / self.baud

    def _write(self, data: bytes) -> None:
        self.counts.bytes_out += len(data)
        self._spoke_at = self.transport.clock()
        self.transport.write(data)

    def _turn(self) -> None:
        """Read once; into silence, ask."""
        if not self._take(self.transport.read(min(self._pause, 0.05))):
            if self._owed:
                self._acknowledge(0)
            now = self.transport.clock()
            since = max(self._heard_at, self._asked_at, self._spoke_at)
            if now - since > self._pause * self._patience and not self.transport.waiting():
                self._asked_at = now
                self._patience = min(64.0, 2 * self._patience)
                self.counts.polls += 1
                self._poll()
            silent = SILENT * self.transport.silence
            if min(now - self._heard_at, now - self._moved_at) > silent:
                self._renew()

    def _take(self, data: bytes) -> bool:
        """Frames out of bytes; whether any frame came."""
        self.counts.bytes_in += len(data)
        came = False
        for message in self._decoder.feed(data):
            came = True
            if message is None:
                self.counts.bad += 1
                self._ask_again()
            else:
                self._heard_at = self.transport.clock()
                self._patience = max(1.0, self._patience / 2)
                self._handle(message)
        window = self._hello.description.link.send_bytes if self._hello else WHOLE
        if self._owed > window // 4:
            self._acknowledge(0)
        return came

    def _handle(self, message: Message) -> None:
        kind, sequence, payload = message
        if kind.sequenced:
            self._arrived(message)
        elif kind is Kind.ACK:
            self._acknowledged(sequence)
            self._sent.free(int.from_bytes(payload[:2], "little"))
            asked, self._polled = self._polled, None
            lost = asked is not None and 0 < (asked - sequence) % WHOLE < HALF
            if lost and not self.transport.waiting():
                self._resend(sequence)
        elif kind is Kind.ERROR:
            self._error(payload[0], payload[1], sequence)
        else:
            self._replies.append(message)

    def _arrived(self, message: Message) -> None:
        """A frame of the board's order: the next one, one behind a gap, or one that came again."""
        ahead = (message.sequence - self._expected) % WHOLE
        size, counts = len(message.payload) + ENTRY_BYTES, self.counts
        if ahead == 0:
            self._expected = (message.sequence + 1) % WHOLE
            self._owed += size
            counts.received += 1
            self.inbox.append(message)
        elif ahead < HALF:
            counts.gaps += self._gap != self._expected
            self._gap = self._expected
            counts.early += 1
            counts.early_bytes += size
            self._ask_again()
        else:
            counts.repeated += 1
            self._owed += 1

    def _error(self, number: int, about: int, expected: int) -> None:
        name = Code(number).name if number in set(Code) else f"code {number}"
        self.counts.errors[name] = self.counts.errors.get(name, 0) + 1
        self._acknowledged(expected)
        if number in AGAIN:
            self._resend(expected)
            return
        if number == Code.ACKNOWLEDGED:  # an ACK that was late
            return
        raise Refused(
            f"{self.transport.name} refused a frame of kind {about:#04x}: {name}; host and board "
            "disagree, please report this"
        )

    def _acknowledged(self, expected: int) -> None:
        """All frames before `expected` have arrived."""
        if count := self._sent.acknowledge(expected):
            self.counts.accepted += count
            self._moved_at = self.transport.clock()

    def _resend(self, expected: int) -> None:
        """All frames from `expected` on, once in a pause."""
        now = self.transport.clock()
        known = self._sent and expected == self._sent.first
        if not known or now - self._resent_at < self._pause:
            return
        self._resent_at = now
        self.counts.resends += 1
        self.counts.missing_bytes += len(next(iter(self._sent)))
        for data in self._sent:
            self.counts.resent += 1
            self.counts.resent_bytes += len(data)
            self._write(data)

    def _ask_again(self) -> None:
        """A frame from the board is missing: once in a pause."""
        now = self.transport.clock()
        if now - self._asked_at >= self._pause:
            self._asked_at = now
            self._acknowledge(AckFlag.RESEND | AckFlag.REQUEST)

    def _poll(self) -> None:
        """Ask, after a silence: nothing is under way, and what did not arrive until now is lost."""
        self._polled = self._sent.next
        self._acknowledge(AckFlag.RESEND | AckFlag.REQUEST)

    def _acknowledge(self, flags: int) -> None:
        self._owed = 0
        self._write(encode(Kind.ACK, self._expected, bytes((flags,))))

    def _question(self, frame: bytes, kind: Kind, nonce: int, patience: int = 1) -> Message | None:
        """The reply of this kind and number, or None after some pauses without it."""
        self._replies.clear()
        self._write(frame)
        end = self.transport.clock() + patience * (4 * self.transport.latency + self._pause)
        while self.transport.clock() < end:
            self._take_replies(self.transport.read(0.02))
            for reply in self._replies:
                if reply.kind is kind and reply.sequence == nonce:
                    self._heard_at = self.transport.clock()
                    return reply
            if time.monotonic() > self._end:
                raise DeadlineExceeded(
                    f"{self.transport.name}: no answer within {self.deadline:g} s"
                )
        return None

    def _take_replies(self, data: bytes) -> None:
        """Beside a session: only replies count."""
        self.counts.bytes_in += len(data)
        for message in self._decoder.feed(data):
            if message is not None and message.kind in (Kind.HELLO, Kind.RESET, Kind.BAUD):
                self._replies.append(message)

    def _rate(self, baud: int) -> None:
        self.baud = baud
        self.transport.set_baud(baud)

    def _speed_up(self, description: Description) -> None:
        """The fastest rate at which an echo comes back whole."""
        link = description.link
        most = min(link.fastest_baud, self.fastest or link.fastest_baud)
        slow = self.baud
        rates = []
        while most > link.power_up_baud * 1.5:
            rates.append(most)
            most = most // 2
        for rate in rates:
            if self._try(link.divisor(rate), round(link.clock_hz / link.divisor(rate))):
                return
            # the board goes back by itself
            until = self.transport.clock() + 2 * link.trial + self._pause
            while self.transport.clock() < until:
                self.transport.read(0.05)
            self._rate(slow)
            self.ask()
            self.reset()

    def _try(self, divisor: int, baud: int) -> bool:
        nonce = secrets.randbelow(WHOLE)
        frame = encode(Kind.BAUD, nonce, divisor.to_bytes(2, "little"))
        for _ in range(TRIES):
            if self._question(frame, Kind.BAUD, nonce) is not None:
                break
        else:
            return False
        self._rate(baud)
        whole, self.deadline = self.deadline, min(self.deadline, 10.0)
        try:
            return all(self.echo(secrets.token_bytes(ECHO_BYTES)) for _ in range(ECHOES))
        except (LinkLost, DeadlineExceeded):
            return False
        finally:
            self.deadline = whole

    def _renew(self) -> None:
        """The board is silent: it has gone back to the rate of power-up, or is gone."""
        self.counts.renewals += 1
        self._moved_at = self.transport.clock()
        baud = self.baud
        self._rate(self.transport.power_up_baud)
        try:
            found = self.ask()
        except NoPort:
            raise LinkLost(
                f"{self.transport.name} does not answer any more; is it still there? What the "
                "board did since the last checkpoint is lost"
            ) from None
        if found.session != self._session:
            raise LinkLost(
                f"{self.transport.name} was reset or switched off; go on from a checkpoint"
            )
        link = found.description.link
        nonce = secrets.randbelow(WHOLE)
        frame = encode(Kind.BAUD, nonce, link.divisor(baud).to_bytes(2, "little"))
        if self._question(frame, Kind.BAUD, nonce) is not None:
            self._rate(baud)
        self._asked_at = self.transport.clock()
        self._poll()
