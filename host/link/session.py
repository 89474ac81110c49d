# SPDX-License-Identifier: Apache-2.0
"""A session with a board: frames in order, once each, both ways, over a line that may err.

What is sent again is the exchange's (`exchange.py`), the rate of the line that of `rates.py`; here
is when: timers run in the host alone, by the transport's clock; the board only answers. Nothing
waits longer than `deadline`, nor on a board that is silent for long.
"""

import threading
from collections import deque
from collections.abc import Callable
from random import Random, SystemRandom

from antevolt.hdl.spec.errors import AntevoltError, Closed, LinkLost
from antevolt.hdl.spec.link import SLACK_BYTES, AckFlag, Kind
from antevolt.host.link.codec import Message, encode
from antevolt.host.link.counts import Counts
from antevolt.host.link.exchange import Exchange
from antevolt.host.link.hello import Hello, who_is_there
from antevolt.host.link.line import Line
from antevolt.host.link.rates import GONE, TRIES, Rates
from antevolt.host.link.transport import Transport
from antevolt.host.link.window import WHOLE, Window

__all__ = ["GONE", "IDLE", "SILENT", "Session"]

SILENT = 1.5  # times the board's silence: without a good frame that long the link is made anew
IDLE = 0.5  # times its silence: without a word that long, the board is asked before anything else
ASKED = 1 / 8  # times its silence: after a silence of that length it is asked, whatever was before


class Session:
    """Made by `Session(transport)`; then `connect`.

    deadline  seconds that any one call may wait
    baud      the fastest rate to use; None: the board's
    draw      numbers of sessions and questions, bytes that prove a rate; None: by chance
    lost      why the board is gone, when that was noticed between two calls (`heartbeat.py`)
    line      the bytes and questions below the session
    exchange  the frames in order, with those that are sent again
    sent, arrivals  of these: the frames to the board that are under way; those that came

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
        self.draw = SystemRandom() if draw is None else draw
        self.counts, self.sent = Counts(), Window()
        self.line = Line(transport, self.counts, lambda: self.sent.bytes_under_way, self.draw)
        self.exchange = Exchange(self.line, self.counts, self.sent)
        self.arrivals = self.exchange.arrivals
        self.rates = Rates(self)
        self._hello: Hello | None = None
        self._session = 0
        self._alone = threading.RLock()  # of a call, or of a heartbeat
        self.lost: AntevoltError | None = None

    @property
    def hello(self) -> Hello:
        """What the board said last; raises Closed before `connect`."""
        if self._hello is None:
            raise Closed("there is no session; connect first")
        return self._hello

    @hello.setter
    def hello(self, said: Hello) -> None:
        self._hello, self.exchange.link = said, said.description.link

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

    def ask(self, tries: int = TRIES) -> Hello:
        """Who is there, at the rate of power-up; raises NoPort when nobody answers."""
        self.line.begin(self.deadline)
        self.hello = who_is_there(self.line, tries)
        return self.hello

    def connect(self) -> Hello:
        """Ask who is there, reset the board, and agree on the fastest rate that works."""
        self.line.set_baud(self.transport.power_up_baud)
        hello = self.ask()
        self.reset()
        self.rates.speed_up(hello.description.link)
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
            self.exchange.send(kind, payload)

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
            self.exchange.take(self.transport.read(0.0))

    def acknowledge(self, flags: int, count: int = 0) -> None:
        """Say what came, and ask for something with it, see `Exchange`."""
        self.exchange.acknowledge(flags, count)

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
        session = 1 + self.draw.randrange(WHOLE - 1)
        frame = encode(Kind.RESET, session)
        for number in range(TRIES):
            if self.line.ask(b"\0" + frame, Kind.RESET, session, 1 + number) is not None:
                break
        else:
            raise LinkLost(f"{self.transport.name} does not answer a reset; switch it off and on")
        self._session = session
        self.exchange.start(session)

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
            if self.exchange.take(self.transport.read(self.line.pause)):
                return
        self.rates.renew()

    def _turn(self) -> None:
        """Read once; into silence, ask."""
        line, exchange = self.line, self.exchange
        if exchange.take(self.transport.read(min(line.pause, 0.05))):
            return
        if self.arrivals.owed:
            self.acknowledge(0)
        now = self.transport.clock()
        since = max(line.heard_at, exchange.asked_at, line.spoke_at)
        longest = max(line.pause, ASKED * self.transport.silence)
        patience = min(longest, line.pause * exchange.patience)
        if now - since > patience and not self.transport.waiting():
            exchange.ask_patiently()
        if min(now - line.heard_at, now - exchange.moved_at) > SILENT * self.transport.silence:
            self.rates.renew()
