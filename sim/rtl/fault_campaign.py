# SPDX-License-Identifier: Apache-2.0
"""Random traffic over a line that errs: nothing wrong may get through, nothing may hang.

The traffic (`traffic.py`) knows what must come back. Whatever comes back wrong without an error
is `undetected`; a call that ends with an error though the board was not reset is `failed`. A board
that is switched off and on in the middle must be noticed (`LinkLost`); what was under way is then
lost. At the end of a session the line is left in peace, and the two ends must agree on counts.

After each flight of frames the faults stop in its midst, while frames are under way. The link has
then to recover: how often, how long that took, and how much was sent again is counted, too.

Each session has a seed of its own, from which all comes that is drawn in it, at the host too: a
campaign can be ended and taken up again, and any session of it be run again alone (`one_session`).
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any, Protocol

from antevolt.hdl.spec.errors import AntevoltError, LinkLost
from antevolt.hdl.spec.link import AckFlag, Kind
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.codec import Decoder
from antevolt.host.link.session import Session
from antevolt.host.link.transport import Transport
from antevolt.host.link.window import WHOLE
from antevolt.sim.rtl.faults import KINDS, FaultyLine
from antevolt.sim.rtl.traffic import Traffic, Wrong

__all__ = ["Line", "Result", "adds_up", "campaign", "one_session"]

DEADLINE = 120.0
RESETS = 0.01  # share of the steps
STEPS = 50  # calls and flights of a session
FRAMES = 40  # of a flight; then it goes on until a fault comes, for as many at most
LONGEST = 60  # bytes of an echo, words of a read or a run in a flight
MEANS = (0.5, 1.0, 2.0)  # times the mean: one is drawn for each session
COUNTED = (
    *("resent", "resends", "resent_bytes", "missing_bytes", "gaps", "early_bytes"),
    *("repeated", "repeated_bytes", "bad", "renewals"),
)
"""Of `host.link.counts.Counts`, summed over the sessions under the same names."""
REPLIES = 0.02  # seconds of the line in which a board has answered


class Line(Transport, Protocol):
    """A simulated line; `power_up` switches the board off and on."""

    def power_up(self) -> None: ...


@dataclass
class Result:
    """Of a campaign; `undetected`, `hangs`, `failed` and `disagreed` must be 0.

    sessions    that were begun
    calls, flights  calls of the backend; flights of frames
    words       words and bytes that came back and were looked at
    faults      injected, by direction and kind
    means       injected, by the bytes from one fault to the next that the session had on average
    resets      times the board was switched off and on
    noticed     of these, sessions that ended with LinkLost
    undetected  sessions that got something else than they must, without an error
    hangs       calls that ended at their deadline
    failed      calls that ended with another error though the board was not reset
    disagreed   sessions at whose end the two ends' counts did not agree
    agreed      sessions at whose end they did
    recoveries  times that the faults stopped while frames were under way
    within      of these, how often no frame was sent again more than once
    again       most frames that the host sent again in one, and frames that were then under way
    twice       each of those that are not `within`: number of the session, of its flight, frames
                under way, those that were sent again more than once, and how often one was at most
    recovered   seconds of the line's time in which all of a recovery was done, at most
    slowest     longest call, in seconds of the line's time
    others      `COUNTED`
    """

    seed: int
    mean: float
    line: str = "bytes"
    sessions: int = 0
    calls: int = 0
    flights: int = 0
    words: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    means: dict[str, int] = field(default_factory=dict)
    resets: int = 0
    noticed: int = 0
    undetected: int = 0
    hangs: int = 0
    failed: int = 0
    disagreed: int = 0
    agreed: int = 0
    messages: list[str] = field(default_factory=list)
    recoveries: int = 0
    within: int = 0
    again: tuple[int, int] = (0, 0)
    twice: list[dict[str, int]] = field(default_factory=list)
    recovered: float = 0.0
    slowest: float = 0.0
    line_bytes: int = 0
    resent: int = 0
    resends: int = 0
    resent_bytes: int = 0
    missing_bytes: int = 0
    gaps: int = 0
    early_bytes: int = 0
    repeated: int = 0
    repeated_bytes: int = 0
    bad: int = 0
    renewals: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def injected(self) -> int:
        return sum(self.faults.values())

    @property
    def passed(self) -> bool:
        unnoticed = self.resets - self.noticed
        return not (self.undetected or self.hangs or self.failed or self.disagreed or unnoticed)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "injected": self.injected, "passed": self.passed}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Result":
        """The inverse; what else is in a record is left out."""
        names = {name for name in cls.__dataclass_fields__ if name in record}
        found = cls(**{name: record[name] for name in names})
        found.again = (found.again[0], found.again[1])
        return found


def campaign(
    make: Callable[[], Line],
    result: Result,
    faults: int,
    resets: float = RESETS,
    only: tuple[str, ...] = KINDS,
    seconds: float = 1e9,
    deadline: float = DEADLINE,
    progress: Callable[[Result], None] | None = None,
) -> None:
    """Sessions until `result` has so many faults, or so many seconds have passed.

    make    a line to a board that was just switched on
    result  with seed and mean (bytes from one fault to the next, each way); goes on from there
    resets  share of the steps in whose midst the board is switched off and on
    deadline  seconds that a call may take before it counts as hung
    progress  is told after each session
    """
    start, cpu = time.monotonic(), time.process_time()
    before = result.seconds, result.cpu_seconds
    while result.injected < faults and time.monotonic() - start < seconds:
        wants = faults - result.injected
        _Session(make(), result, resets, only, deadline).run(wants, start + seconds)
        result.seconds = before[0] + time.monotonic() - start
        result.cpu_seconds = before[1] + time.process_time() - cpu
        if progress is not None:
            progress(result)


def one_session(
    make: Callable[[], Line],
    result: Result,
    number: int,
    resets: float = RESETS,
    only: tuple[str, ...] = KINDS,
    deadline: float = DEADLINE,
) -> None:
    """Only this session, counted from 1, of a campaign of the same seed, mean, resets and kinds."""
    result.sessions = number - 1
    _Session(make(), result, resets, only, deadline).run(1 << 62, float("inf"))


class _Failed(Exception):
    """A call failed; the session is of no further use."""


class _Session:
    """One session of a campaign, from its number in `result`."""

    def __init__(
        self, line: Line, result: Result, resets: float, only: tuple[str, ...], deadline: float
    ):
        result.sessions += 1
        seed = f"{result.seed} {result.sessions}"
        self.result, self.resets, self.line = result, resets, line
        self.draw, self.traffic = Random(f"campaign {seed}"), Traffic(f"traffic {seed}")
        self.mean = result.mean * self.draw.choice(MEANS)
        self.wire = FaultyLine(line, 0, seed=f"faults {seed}", only=only)
        self.session = Session(self.wire, deadline, draw=Random(f"host {seed}"))
        self.flights = 0
        self.was_off = self.noticed = False

    def run(self, faults: int, end: float) -> None:
        """So many steps or faults, or until that time; then the counts."""
        result = self.result
        try:
            self.session.connect()
            board = LinkBackend(self.session)
            self.wire.begin(self.mean)
            for _ in range(STEPS):
                if self.wire.injected.total() >= faults or time.monotonic() > end:
                    break
                self._watched(self._step, board)
            self.wire.begin(0)
            self._watched(self._agree, board)
        except _Failed:
            pass
        finally:
            self._sum()
            self.session.close()
        if self.was_off and not self.noticed:
            result.messages.append("a board that was switched off went on, or failed otherwise")

    def _watched(self, step: Callable[[LinkBackend], None], board: LinkBackend) -> None:
        """One step, and what became of it."""
        result, begin = self.result, self.wire.clock()
        try:
            step(board)
        except LinkLost as error:
            if self.was_off:
                result.noticed += 1
                self.noticed = True
            else:
                result.failed += 1
                self._say(error)
            raise _Failed from error
        except TimeoutError as error:
            result.hangs += 1
            self._say(error)
            raise _Failed from error
        except AntevoltError as error:
            result.failed += 1
            self._say(error)
            raise _Failed from error
        except Wrong as error:
            result.undetected += 1
            self._say(error)
            raise _Failed from error
        result.slowest = max(result.slowest, self.wire.clock() - begin)

    def _say(self, error: Exception) -> None:
        where = f"session {self.result.sessions}, mean {self.mean:g}"
        self.result.messages.append(f"{where}: {type(error).__name__}: {error}")

    def _step(self, board: LinkBackend) -> None:
        if self.draw.random() < self.resets and not self.was_off:
            self.result.resets += 1
            self.was_off = True
            self.line.power_up()
        if self.draw.random() < 0.5:
            self.result.calls += 1
            self.traffic.call(board)
        else:
            self.result.flights += 1
            self.flights += 1
            self._flight(board)

    def _flight(self, board: LinkBackend) -> None:
        """Frames under faults; then without, until all have arrived."""
        result, wire, session = self.result, self.wire, self.session
        longest = 1 + int(self.draw.random() * LONGEST)
        for number in range(2 * FRAMES):
            before = wire.injected.total()
            self.traffic.put(board, longest)
            if number >= FRAMES and wire.injected.total() > before:
                break
        wire.begin(0)
        session.wait(lambda: not wire.waiting(), "end of what is spoilt")
        begin, resent = wire.clock(), session.counts.resent
        under_way = [(frame, frame.times) for frame in session.sent.frames()]
        self.traffic.settle(board)
        result.recoveries += 1
        times = [frame.times - before for frame, before in under_way]
        self._recovered(times, session.counts.resent - resent)
        result.recovered = max(result.recovered, wire.clock() - begin)
        wire.begin(self.mean)

    def _recovered(self, times: list[int], resent: int) -> None:
        """A recovery, in which frames were sent again so many times each, together `resent`."""
        result, most = self.result, max(times, default=0)
        result.again = max(result.again, (resent, len(times)))
        result.within += most <= 1
        if most > 1:
            twice = sum(count > 1 for count in times)
            found = {"session": result.sessions, "flight": self.flights}
            result.twice.append(found | {"under_way": len(times), "twice": twice, "most": most})

    def _agree(self, board: LinkBackend) -> None:
        problem = adds_up(board)
        if problem:
            self.result.disagreed += 1
            self.result.messages.append(f"session {self.result.sessions}: {problem}")
            raise _Failed
        self.result.agreed += 1

    def _sum(self) -> None:
        result, counts = self.result, self.session.counts
        injected, mean = self.wire.injected, f"{self.mean:g}"
        result.faults = dict(Counter(result.faults) + injected)
        result.means[mean] = result.means.get(mean, 0) + injected.total()
        result.words += self.traffic.words
        result.line_bytes += counts.bytes_in + counts.bytes_out
        for name in COUNTED:
            setattr(result, name, getattr(result, name) + getattr(counts, name))
        result.dropped = dict(Counter(result.dropped) + Counter(counts.errors))


def adds_up(board: LinkBackend) -> str:
    """What is wrong with the counts of host and board, on a line in peace; "" if nothing is.

    Each frame to the board was sent once, acknowledged once and accepted once; each one that the
    board made came once.
    """
    session, problem = board.session, board.disagreement()
    if problem:
        return problem
    session.acknowledge(AckFlag.REQUEST)
    decoder, end, made = Decoder(), session.transport.clock() + REPLIES, -1
    while session.transport.clock() < end and made < 0:
        for message in decoder.feed(session.transport.read(REPLIES)):
            if message is not None and message.kind is Kind.ACK:
                made = int.from_bytes(message.payload[2:4], "little")
    came, expected = (session.number + session.counts.received) % WHOLE, session.arrivals.expected
    if not made == expected == came:
        return f"the board made frames up to {made}, {came} came, {expected} is next"
    return ""
