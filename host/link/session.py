# SPDX-License-Identifier: Apache-2.0
"""A session with a board: frames in order, once each, both ways, over a line that may err.

Lost frames are sent again, those that came behind them are kept at the other end: by this host
(`arrivals.py`), and by a board that is `selective` (`losses.py`); else all from the first lost one
on are sent. Timers run in the host alone, by the transport's clock; the board only answers. Nothing
waits longer than `deadline`, nor on a board that is silent for long.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from random import Random, SystemRandom

from antevolt.hdl.spec.errors import (
    AntevoltError,
    Closed,
    DeadlineExceeded,
    LinkLost,
    NoPort,
    Refused,
)
from antevolt.hdl.spec.link import (
    RESEND_MOST,
    RESEND_PLACE,
    SLACK_BYTES,
    VERSION,
    AckFlag,
    Code,
    Kind,
    LinkParameters,
)
from antevolt.host.link.arrivals import HALF, Arrivals
from antevolt.host.link.codec import Message, encode
from antevolt.host.link.counts import Counts
from antevolt.host.link.hello import Hello, hello_of
from antevolt.host.link.line import Line
from antevolt.host.link.losses import AGAIN, Losses
from antevolt.host.link.transport import Transport
from antevolt.host.link.window import WHOLE, Frame, Window

__all__ = ["IDLE", "Session"]

SILENT = 1.5  # times the board's silence: without a good frame that long the link is made anew
IDLE = 0.5  # times its silence: without a word that long, the board is asked before anything else
ASKED = 1 / 8  # times its silence: after a silence of that length it is asked, whatever was before
GONE = 6.0  # times its silence: questions that long without an answer, and the board is gone
TRIES = 8
DELIMITER = b"\0"  # after a loss: the last frame's own may be what was lost
RATES = 3  # times that the rate of before is asked for when the link is made anew
ECHO_BYTES, ECHOES = 200, 4  # that prove a new rate


class Session:
    """Made by `Session(transport)`; then `connect`.

    deadline  seconds that any one call may wait
    baud      the fastest rate to use; None: the board's
    draw      numbers of sessions and questions, bytes that prove a rate; None: by chance
    lost      why the board is gone, when that was noticed between two calls (`heartbeat.py`)
    line      the bytes and questions below the session
    sent, arrivals  the frames to the board that are under way; those that came
    losses    which of the former are sent again

    All methods raise LinkLost when the board is silent or was reset, DeadlineExceeded, and Refused.
    """

    def __init__(
        self,
        transport: Transport,
        deadline: float = 60.0,
        baud: int | None = None,
        draw: Random | None = None,
    ):
        self.transport, self.deadline, self.fastest = transport, deadline, baud
        self._draw = SystemRandom() if draw is None else draw
        self.counts = Counts()
        self.sent, self.arrivals = Window(), Arrivals(self.counts)
        self.losses = Losses(self.sent)
        self.line = Line(transport, self.counts, lambda: self.sent.bytes_under_way, self._draw)
        self._hello: Hello | None = None
        self._session = 0
        self._asked_at = self._moved_at = -1e9
        self._asked_until = 0  # the frame before which all that are missing were asked for
        self._agreed = 0  # the rate that was found to work
        self._polled: int | None = None  # place of the last frame before a question into silence
        self._patience = 1.0  # grows with every question into silence: a board may be slow
        self._alone = threading.RLock()  # of a call, or of a heartbeat
        self.lost: AntevoltError | None = None

    @property
    def hello(self) -> Hello:
        """What the board said last; raises Closed before `connect`."""
        if self._hello is None:
            raise Closed("there is no session; connect first")
        return self._hello

    @property
    def baud(self) -> int:
        return self.line.baud

    @property
    def inbox(self) -> deque[Message]:
        """Sequenced frames that nobody has taken yet."""
        return self.arrivals.inbox

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
        return self.sent.take_fullest()

    def ask(self, tries: int = TRIES, seconds: float = 0.0) -> Hello:
        """Who is there, at the rate of power-up; raises NoPort when nobody answers.

        seconds  ask for so long at least, as often as an answer could have come
        """
        self.line.begin(self.deadline)
        nonce, end = self._draw.randrange(WHOLE), self.transport.clock() + seconds
        frame, number = encode(Kind.HELLO, nonce, bytes((VERSION,))), 0
        while number < tries or self.transport.clock() < end:
            patience = 1 if seconds else 1 + number
            number += 1
            reply = self.line.ask(b"\0" + frame, Kind.HELLO, nonce, patience)
            if reply is not None:
                self._hello = hello_of(reply.payload)
                return self._hello
        raise NoPort(
            f"no board answers on {self.transport.name}; is it switched on and programmed, and is "
            "this its port? (`antevolt devices` asks all ports)"
        )

    def connect(self) -> Hello:
        """Ask who is there, reset the board, and agree on the fastest rate that works."""
        self.line.set_baud(self.transport.power_up_baud)
        hello = self.ask()
        self.reset()
        self._speed_up(hello.description.link)
        return hello

    def reset(self) -> None:
        """Reset the board's core and buffers; what was under way is gone."""
        with self._alone:
            self._reset()

    def send(self, kind: Kind, payload: bytes) -> None:
        """One sequenced frame; waits for room in the board's buffer."""
        limit = self.window
        with self._alone:
            self.wait(lambda: self.sent.fits(payload, limit), "room in its buffer")
            if not self.sent:
                self._wake_late()
            data = self.sent.put(kind, payload)
            self.counts.sent += 1
            self.line.write(data)

    def flush(self) -> None:
        """Until the board has acknowledged everything."""
        self.wait(lambda: not self.sent, "an acknowledgement")

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
            self.line.begin(self.deadline)
            self._wake()
            while not done():
                self._turn()
                self.line.in_time(what)

    def beat(self) -> None:
        """Ask a board that heard nothing for half the time after which it would fall silent."""
        with self._alone:
            self._wake_late()

    def poll(self) -> None:
        """Take what has come, without waiting."""
        with self._alone:
            self._take(self.transport.read(0.0))

    def acknowledge(self, flags: int, count: int = 0) -> None:
        """Say what came; `flags`: `AckFlag`s, of what the board is asked for with it; `count`: of
        so many frames, 0 for all, as it is where that cannot be asked."""
        self.arrivals.owed = 0
        if count > RESEND_MOST or not self._selective:
            count = 0
        said = bytes((flags | count << RESEND_PLACE,))
        self.line.write(encode(Kind.ACK, self.arrivals.expected, said))

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
        self.line.begin(self.deadline)
        session = 1 + self._draw.randrange(WHOLE - 1)
        frame = encode(Kind.RESET, session)
        for number in range(TRIES):
            if self.line.ask(b"\0" + frame, Kind.RESET, session, 1 + number) is not None:
                break
        else:
            raise LinkLost(f"{self.transport.name} does not answer a reset; switch it off and on")
        self._session, self._polled = session, None
        self.sent.start(session)
        self.arrivals.start(session)
        self.counts.sent = self.counts.accepted = 0

    def _wake_late(self) -> None:
        if self.transport.clock() - self.line.spoke_at >= IDLE * self.transport.silence:
            self.line.begin(self.deadline)
            self._wake()

    def _wake(self) -> None:
        """After a while without a word, the board may have gone back to the rate of power-up."""
        now = self.transport.clock()
        if now - self.line.spoke_at < IDLE * self.transport.silence:
            self.line.heard_at = max(self.line.heard_at, self.line.spoke_at)
            return
        self.acknowledge(AckFlag.REQUEST)
        end = now + self.line.pause
        while self.transport.clock() < end:
            if self._take(self.transport.read(self.line.pause)):
                return
        self._renew()

    def _turn(self) -> None:
        """Read once; into silence, ask."""
        if not self._take(self.transport.read(min(self.line.pause, 0.05))):
            if self.arrivals.owed:
                self.acknowledge(0)
            now = self.transport.clock()
            since = max(self.line.heard_at, self._asked_at, self.line.spoke_at)
            longest = max(self.line.pause, ASKED * self.transport.silence)
            patience = min(longest, self.line.pause * self._patience)
            if now - since > patience and not self.transport.waiting():
                self._asked_at = now
                self._patience = min(64.0, 2 * self._patience)
                self.counts.polls += 1
                self._poll()
            silent = SILENT * self.transport.silence
            if min(now - self.line.heard_at, now - self._moved_at) > silent:
                self._renew()

    def _take(self, data: bytes) -> bool:
        """Frames out of bytes; whether any frame came."""
        frames = self.line.frames(data)
        for message in frames:
            if message is None:
                self.counts.bad += 1
                self._ask_again()
            else:
                self.line.heard_at = self.transport.clock()
                self._patience = max(1.0, self._patience / 2)
                self._handle(message)
        if self.arrivals.owed > self._room // 4:
            self.acknowledge(0)
        return bool(frames)

    def _handle(self, message: Message) -> None:
        kind, sequence, payload = message
        if kind.sequenced:
            if self.arrivals.arrive(message, self._room):
                self._ask_again()
        elif kind is Kind.ACK:
            self._acknowledged(sequence)
            self.sent.free(int.from_bytes(payload[:2], "little"))
            asked, self._polled = self._polled, None
            if asked is None or self.transport.waiting() or not self._is_first(sequence):
                return
            self._resend(self.losses.after_silence(asked, self._selective), 1)
        elif kind is Kind.ERROR:
            self._error(payload, sequence)
        # else a late reply to a question, for which nobody waits any more

    def _error(self, payload: bytes, expected: int) -> None:
        number, about, missing, until = payload[:4]
        name = Code(number).name if number in set(Code) else f"code {number}"
        if number == Code.MISSING:
            self.counts.kept += 1
        else:
            self.counts.errors[name] = self.counts.errors.get(name, 0) + 1
        self._acknowledged(expected)
        if number in AGAIN:
            if self._is_first(expected):
                now, pause = self.transport.clock(), self.line.pause
                said = (number, about, missing, until)
                lost = self.losses.after_error(*said, self._selective, now, pause)
                self._resend(lost, max(1, missing))
            return
        if number == Code.ACKNOWLEDGED:  # an ACK that was late
            return
        raise Refused(
            f"{self.transport.name} refused a frame of kind {about:#04x}: {name}; host and board "
            "disagree, please report this"
        )

    def _acknowledged(self, expected: int) -> None:
        """All frames before `expected` have arrived."""
        if count := self.sent.acknowledge(expected):
            self.counts.accepted += count
            self._moved_at = self.transport.clock()

    def _is_first(self, expected: int) -> bool:
        return bool(self.sent) and expected == self.sent.first

    def _resend(self, frames: list[Frame], missing: int) -> None:
        """These again, of which the first `missing` under way are missing for sure."""
        if not frames:
            return
        now, first = self.transport.clock(), self.sent.first
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

    @property
    def _selective(self) -> bool:
        return self._hello is not None and self._hello.description.link.selective

    @property
    def _room(self) -> int:
        """Bytes that the board may have under way."""
        return self._hello.description.link.send_bytes if self._hello else WHOLE

    def _ask_again(self) -> None:
        """A frame from the board is missing: once in a pause, and whenever more are."""
        now, count = self.transport.clock(), max(1, self.arrivals.missing)
        until = self.arrivals.expected + count
        more = 0 < (until - self._asked_until) % WHOLE < HALF
        if more or now - self._asked_at >= self.line.pause:
            self._asked_at, self._asked_until = now, until
            self.acknowledge(AckFlag.RESEND | AckFlag.REQUEST, count)

    def _poll(self) -> None:
        """Ask, after a silence: nothing is under way, and what did not arrive until now is lost."""
        self._polled = self.sent.place
        self.arrivals.owed = 0
        count = self.arrivals.missing
        if count > RESEND_MOST or not self._selective:
            count = 0
        said = bytes((AckFlag.RESEND | AckFlag.REQUEST | count << RESEND_PLACE,))
        self.line.write(DELIMITER + encode(Kind.ACK, self.arrivals.expected, said))

    def _rates(self, link: LinkParameters) -> Iterator[int]:
        """From the fastest one on, each half the one before."""
        rate = min(link.fastest_baud, self.fastest or link.fastest_baud)
        while rate > link.power_up_baud * 1.5:
            yield rate
            rate = rate // 2

    def _speed_up(self, link: LinkParameters) -> None:
        """The fastest rate at which an echo comes back whole."""
        slow = self.baud
        for rate in self._rates(link):
            if self._try(link.divisor(rate), round(link.clock_hz / link.divisor(rate))):
                break
            self._go_back(slow, link)
            self.ask()
            self.reset()
        self._agreed = self.baud

    def _go_back(self, slow: int, link: LinkParameters) -> None:
        """To another rate, where a board comes by itself after its trial."""
        until = self.transport.clock() + 2 * link.trial + self.line.pause
        while self.transport.clock() < until:
            self.transport.read(0.05)
        self.line.set_baud(slow)

    def _try(self, divisor: int, baud: int) -> bool:
        if not self.line.change_baud(divisor, baud, TRIES):
            return False
        whole, self.deadline = self.deadline, min(self.deadline, 10.0)
        try:
            return all(self.echo(self._draw.randbytes(ECHO_BYTES)) for _ in range(ECHOES))
        except (LinkLost, DeadlineExceeded):
            return False
        finally:
            self.deadline = whole

    def _renew(self) -> None:
        """The board is silent: it has gone back to the rate of power-up, or is gone."""
        self.counts.renewals += 1
        self._moved_at = self.transport.clock()
        for _ in range(RATES):
            link = self._find()
            baud = self._agreed
            if self.line.change_baud(link.divisor(baud), baud) and self._answers(link.trial):
                break
            self._go_back(self.transport.power_up_baud, link)
        else:
            self._find()  # and stay with it
        self._asked_at = self.transport.clock()
        self._poll()

    def _find(self) -> LinkParameters:
        """The board of this session, at the rate of power-up."""
        self.line.set_baud(self.transport.power_up_baud)
        try:
            found = self.ask(seconds=GONE * self.transport.silence)
        except NoPort:
            raise LinkLost(
                f"{self.transport.name} does not answer any more; is it still there? What the "
                "board did since the last checkpoint is lost"
            ) from None
        if found.session != self._session:
            raise LinkLost(
                f"{self.transport.name} was reset or switched off; go on from a checkpoint"
            )
        return found.description.link

    def _answers(self, seconds: float) -> bool:
        """Whether it says anything within that time."""
        before, end = self.line.heard_at, self.transport.clock() + seconds
        while self.line.heard_at == before and self.transport.clock() < end:
            self._poll()
            until = self.transport.clock() + self.line.pause
            while self.line.heard_at == before and self.transport.clock() < until:
                self._take(self.transport.read(until - self.transport.clock()))
        return self.line.heard_at != before
