# SPDX-License-Identifier: Apache-2.0
"""Much traffic in one session, with a host that pauses at random: nothing wrong, all flat."""

import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.session import Session
from antevolt.host.link.transport import Transport
from antevolt.sim.rtl.fault_campaign import adds_up
from antevolt.sim.rtl.traffic import Traffic, Wrong

__all__ = ["GROWTH", "PausingLine", "Result", "soak"]

OFTEN, SHORT = 0.02, 0.004  # share of the reads before which the host is away; seconds at most
SELDOM, LONG = 0.002, 3.0  # likewise; times the board's silence: it is mute when the host is back
FRAMES = 1000  # from one time that all has to have arrived to the next
LONGEST = 240  # bytes of an echo, words of a read or a run
GROWTH = 2 << 20
"""Bytes of memory by which a process may grow from the first quarter to the end."""
QUARTERS = ("start", "quarter", "half", "three quarters", "end")


class PausingLine:
    """A transport around another: now and then the host is away, and the line goes on.

    pauses, paused  how many so far; seconds of the line's time
    """

    def __init__(self, line: Transport, seed: str):
        self.line, self.name = line, line.name
        self.power_up_baud, self.latency, self.silence = (
            line.power_up_baud, line.latency, line.silence,
        )  # fmt: skip
        self.pauses, self.paused = 0, 0.0
        self._draw = Random(seed)
        self._held = bytearray()  # came meanwhile
        self.clock, self.write, self.waiting = line.clock, line.write, line.waiting
        self.set_baud, self.close = line.set_baud, line.close

    def read(self, seconds: float) -> bytes:
        drawn = self._draw.random()
        if drawn < OFTEN + SELDOM:
            longest = SHORT if drawn < OFTEN else LONG * self.silence
            begin = self.clock()
            end = begin + self._draw.random() * longest
            while self.clock() < end:
                self._held += self.line.read(end - self.clock())
            self.pauses += 1
            self.paused += self.clock() - begin
        data = bytes(self._held) or self.line.read(seconds)
        self._held.clear()
        return data


@dataclass
class Result:
    """Of a soak.

    bytes     on the line, both ways;  frames: sequenced ones, both ways
    words     words and bytes that came back and were looked at;  wrong: what was not right
    pauses, paused  of the host: how many, and seconds of the line's time
    renewals  times that the board had fallen silent meanwhile, and the rate was agreed on again
    resent    frames sent again by the host
    resident  bytes of memory of the process, when such a part of all bytes, or of the time that it
              may take, had passed
    """

    seed: int
    line: str
    bytes: int = 0
    frames: int = 0
    words: int = 0
    wrong: int = 0
    failed: int = 0
    disagreed: int = 0
    pauses: int = 0
    paused: float = 0.0
    renewals: int = 0
    resent: int = 0
    resident: dict[str, int] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def grown(self) -> int:
        """Bytes of memory, from the first quarter to the end."""
        return self.resident.get("end", 0) - self.resident.get("quarter", 0)

    @property
    def passed(self) -> bool:
        whole = len(self.resident) == len(QUARTERS)
        return whole and self.grown <= GROWTH and not (self.wrong or self.failed or self.disagreed)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "grown": self.grown, "passed": self.passed}


def soak(
    line: Transport,
    result: Result,
    total: int,
    seconds: float = 1e9,
    deadline: float = 120.0,
    progress: Callable[[Result], None] | None = None,
) -> None:
    """One session over `line` until `total` bytes or `seconds` have passed, or something is wrong.

    deadline  seconds that a call may wait
    """
    start, cpu = time.monotonic(), time.process_time()
    wire = PausingLine(line, f"pauses {result.seed}")
    session = Session(wire, deadline)
    traffic = Traffic(f"soak {result.seed}")
    try:
        session.connect()
        board = LinkBackend(session)
        while len(result.resident) < len(QUARTERS):
            for _ in range(FRAMES):
                traffic.put(board, LONGEST)
            traffic.settle(board)
            counts = session.counts
            result.bytes = counts.bytes_in + counts.bytes_out
            result.frames, result.words = counts.sent + counts.received, traffic.words
            result.pauses, result.paused = wire.pauses, wire.paused
            result.renewals, result.resent = counts.renewals, counts.resent
            result.seconds = time.monotonic() - start
            result.cpu_seconds = time.process_time() - cpu
            part = max(result.bytes / total, result.seconds / seconds)
            passed = 1 + int(part * (len(QUARTERS) - 1))
            for name in QUARTERS[len(result.resident) : passed]:
                result.resident[name] = _resident()
            if progress is not None:
                progress(result)
        problem = adds_up(board)
        if problem:
            result.disagreed += 1
            result.messages.append(problem)
    except Wrong as error:
        result.wrong += 1
        result.messages.append(str(error))
    except AntevoltError as error:
        result.failed += 1
        result.messages.append(f"{type(error).__name__}: {error}")
    finally:
        session.close()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
