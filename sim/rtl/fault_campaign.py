# SPDX-License-Identifier: Apache-2.0
"""Random traffic over a line that errs: nothing wrong may get through, nothing may hang.

The traffic knows what must come back: echoes, words that were written before, outputs of a core
that doubles its inputs (`echo_core.py`) or of any other given as `Answers`. Whatever comes back
wrong without an error is `wrong`; a call that ends with an error though the board was not reset is
`failed`. A board that is switched off and on in the middle must be noticed (`LinkLost`); what was
under way is then lost, and a new session starts.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

import numpy as np

from antevolt.hdl.spec.errors import AntevoltError, LinkLost
from antevolt.hdl.spec.memory_map import DATA_BITS, Region
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.session import Session
from antevolt.sim.rtl.echo_core import DEPTH, WORD
from antevolt.sim.rtl.echo_top import line
from antevolt.sim.rtl.faults import KINDS, FaultyLine

__all__ = ["Result", "campaign"]

DEADLINE = 120.0
VALID, TARGET = 1, 9  # flags


@dataclass
class Result:
    """Of a campaign; `undetected` and `hangs` must be 0.

    faults      injected, by direction and kind
    resets      times the board was switched off and on
    noticed     of these, sessions that ended with LinkLost
    undetected  calls that gave something else than they must, without an error
    hangs       calls that ended at their deadline
    failed      calls that ended with another error though the board was not reset
    slowest     longest call, in seconds of the line's time
    """

    seed: int
    mean: float
    calls: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    resets: int = 0
    noticed: int = 0
    undetected: int = 0
    hangs: int = 0
    failed: int = 0
    messages: list[str] = field(default_factory=list)
    slowest: float = 0.0
    line_bytes: int = 0
    resent: int = 0
    repeated: int = 0
    bad: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def injected(self) -> int:
        return sum(self.faults.values())

    @property
    def passed(self) -> bool:
        unnoticed = self.resets - self.noticed
        return not (self.undetected or self.hangs or self.failed or unnoticed)

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "injected": self.injected, "passed": self.passed}


class Traffic:
    """Calls on a board, each of which says whether what came back was right."""

    def __init__(self, seed: int):
        self.draw = Random(seed)
        self.rng = np.random.default_rng(seed)
        self.memory: dict[int, int] = {}

    def call(self, board: LinkBackend) -> bool:
        return self.draw.choice((self.echo, self.write, self.read, self.run))(board)

    def echo(self, board: LinkBackend) -> bool:
        return board.session.echo(self.draw.randbytes(self.draw.randint(1, 240)))

    def write(self, board: LinkBackend) -> bool:
        index, count = self.draw.randrange(DEPTH - 20), self.draw.randint(1, 20)
        words = [self.draw.getrandbits(DATA_BITS) for _ in range(count)]
        board.write(Region.COEFFICIENTS, 0, index, words)
        self.memory.update(zip(range(index, index + count), words, strict=True))
        return True

    def read(self, board: LinkBackend) -> bool:
        if not self.memory:
            return True
        index = self.draw.choice(list(self.memory))
        found = int(board.read(Region.COEFFICIENTS, 0, index, 1)[0])
        return found == self.memory[index]

    def run(self, board: LinkBackend) -> bool:
        steps = self.draw.randint(1, 200)
        x = self.rng.integers(0, 90, steps)
        flags = np.where(self.rng.random(steps) < 0.3, TARGET, VALID)
        if self.draw.random() < 0.5:
            flags[:] = VALID
        y = self.rng.integers(0, 1000, np.count_nonzero(flags == TARGET))
        out = board.run(x | flags << WORD, y, steps, 1)
        expected = 2 * x
        expected[flags == TARGET] += y
        return np.array_equal(out, expected | flags << WORD)


def campaign(
    faults: int,
    seed: int = 0,
    mean: float = 1200.0,
    resets: float = 0.002,
    only: tuple[str, ...] = KINDS,
    seconds: float = 1e9,
    deadline: float = DEADLINE,
    progress: Callable[[Result], None] | None = None,
) -> Result:
    """Traffic until so many faults were injected, or so many seconds have passed.

    mean    bytes from one fault to the next, each way
    resets  share of the calls in whose midst the board is switched off and on
    deadline  seconds that a call may take before it counts as hung
    """
    draw, start = Random(f"campaign {seed}"), time.monotonic()
    result, traffic = Result(seed, mean), Traffic(seed)
    injected: Counter[str] = Counter()
    number = 0
    while result.injected < faults and time.monotonic() - start < seconds:
        number += 1
        wire = FaultyLine(line(), 0, seed=seed * 1000 + number, only=only)
        board = _connected(wire, deadline)
        wire.begin(mean)
        traffic.memory.clear()
        before = wire.injected.copy()
        try:
            while result.injected < faults and time.monotonic() - start < seconds:
                if draw.random() < resets:
                    result.resets += 1
                    wire.line.power_up()
                    board.session.echo(b"is anybody there")
                    result.messages.append("a board that was switched off went on")
                    break
                _count(result, traffic, board, wire)
                injected = injected + (wire.injected - before)
                before = wire.injected.copy()
                result.faults = dict(injected)
                if progress is not None and result.calls % 50 == 0:
                    progress(result)
        except LinkLost:
            result.noticed += 1
        except _Failed:
            pass
        finally:
            _sum(result, board.session)
            board.session.close()
    result.seconds = time.monotonic() - start
    return result


class _Failed(Exception):
    """A call failed; the session is of no further use."""


def _connected(wire: FaultyLine, deadline: float) -> LinkBackend:
    session = Session(wire, deadline)
    session.connect()
    return LinkBackend(session)


def _count(result: Result, traffic: Traffic, board: LinkBackend, wire: FaultyLine) -> None:
    """One call, and what became of it."""
    begin = wire.clock()
    result.calls += 1
    try:
        right = traffic.call(board)
    except TimeoutError as error:
        result.hangs += 1
        result.messages.append(str(error))
        raise _Failed from error
    except AntevoltError as error:
        result.failed += 1
        result.messages.append(f"{type(error).__name__}: {error}")
        raise _Failed from error
    result.slowest = max(result.slowest, wire.clock() - begin)
    if not right:
        result.undetected += 1
        result.messages.append("something came back wrong")
        raise _Failed


def _sum(result: Result, session: Session) -> None:
    counts = session.counts
    result.line_bytes += counts.bytes_in + counts.bytes_out
    result.resent += counts.resent
    result.repeated += counts.repeated
    result.bad += counts.bad
    for name, number in counts.errors.items():
        result.dropped[name] = result.dropped.get(name, 0) + number
