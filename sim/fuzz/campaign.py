# SPDX-License-Identifier: Apache-2.0
"""A campaign: inputs of a target, each fed under a deadline and a limit of memory.

What a target may do with an input is take it or refuse it with a typed error. Anything else is a
failure: another exception or a warning, a wait beyond the deadline, more memory than the limit, or
an input taken for something that it is not (`Wrong`). Inputs come in blocks that have a seed each,
so that a failure is found again from the numbers of its block and of its place there.
"""

import resource
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Protocol

from antevolt.hdl.spec.errors import AntevoltError

__all__ = ["Result", "Target", "TooSlow", "Wrong", "campaign"]

DEADLINE = 5.0
"""Seconds of the processor for one input."""
PATIENCE = 12
"""Times as many seconds may pass: for what waits, on a machine that may do much else."""
MEMORY = 256 << 20
"""Bytes that may be taken beyond what the process had."""
KEPT = 20
"""Kinds of failures that a result describes."""
SHOWN = 200


class Target(Protocol):
    """What reads from outside.

    name     of the target
    block    inputs drawn from one seed
    refusals  errors with which it may refuse, beside AntevoltError
    """

    @property
    def name(self) -> str: ...

    @property
    def block(self) -> int: ...

    @property
    def refusals(self) -> tuple[type[Exception], ...]: ...

    def begin(self) -> None:
        """Before each block: forget what was."""
        ...

    def draw(self, draw: Random) -> Any:
        """An input."""
        ...

    def feed(self, item: Any) -> None:
        """Returns when the input was taken, raises when it was not."""
        ...


class Wrong(Exception):
    """An input was taken for what it is not, or its refusal left traces."""


class TooSlow(BaseException):
    """Raised in the middle of what takes too long; no Exception, so that nothing catches it."""


@dataclass
class Result:
    """Of a campaign; it passed when there are no failures.

    taken, refused  inputs, the latter by the error's name
    failures        inputs that were neither; `described` by error and place in the code
    slowest         seconds of one input
    """

    target: str
    seed: int
    inputs: int = 0
    taken: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    described: dict[str, str] = field(default_factory=dict)
    slowest: float = 0.0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Result":
        """The inverse; what else is in a record is left out."""
        return cls(**{name: record[name] for name in cls.__dataclass_fields__})


def campaign(
    target: Target,
    inputs: int,
    seed: int = 0,
    seconds: float = 1e9,
    deadline: float = DEADLINE,
    memory: int = MEMORY,
    progress: Callable[[Result], None] | None = None,
    before: Result | None = None,
) -> Result:
    """Blocks until there were so many inputs, or so many seconds have passed.

    before  of the same target and seed: goes on in the first block that it has not all of, whose
            inputs are fed again as far as it came, for what the target keeps of them
    """
    result, start = before or Result(target.name, seed), time.monotonic()
    refused, spent_before = Counter(result.refused), result.seconds
    typed: tuple[type[Exception], ...] = (AntevoltError, *target.refusals)
    with _limited(memory), _alarm(), warnings.catch_warnings(action="error"):
        for block in count(result.inputs // target.block):
            if result.inputs >= inputs or time.monotonic() - start > seconds:
                break
            draw = Random(f"{target.name} {seed} {block}")
            target.begin()
            begun = result.inputs % target.block
            for _ in range(begun):
                item = target.draw(draw)
                _allow(deadline)
                with suppress(Exception, TooSlow):  # counted before
                    target.feed(item)
            for place in range(begun, min(target.block, begun + inputs - result.inputs)):
                item = target.draw(draw)
                begin = time.perf_counter()
                _allow(deadline)
                try:
                    target.feed(item)
                    result.taken += 1
                except typed as error:
                    refused[type(error).__name__] += 1
                except (Exception, TooSlow) as error:
                    _failed(result, error, f"block {block}, input {place}", item)
                spent = time.perf_counter() - begin
                result.slowest = max(result.slowest, spent)
                result.inputs += 1
            _allow(0)
            result.refused, result.seconds = dict(refused), spent_before + time.monotonic() - start
            if progress is not None:
                progress(result)
    return result


def _failed(result: Result, error: BaseException, where: str, item: Any) -> None:
    """Count it; of each kind the first is described."""
    result.failures += 1
    here = [f for f in traceback.extract_tb(error.__traceback__) if "fuzz" not in f.filename]
    place = f"{Path(here[-1].filename).name}:{here[-1].lineno}" if here else "target"
    kind = f"{type(error).__name__} in {place}"
    if kind not in result.described and len(result.described) < KEPT:
        result.described[kind] = f"{where}: {str(error)[:SHOWN]}: {repr(item)[:SHOWN]}"


@contextmanager
def _alarm() -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        raise TooSlow("beyond the deadline")

    before = {number: signal.signal(number, late) for number in (signal.SIGPROF, signal.SIGALRM)}
    try:
        yield
    finally:
        _allow(0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _allow(deadline: float) -> None:
    """From now on; 0: all the time there is."""
    signal.setitimer(signal.ITIMER_PROF, deadline)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE * deadline)


@contextmanager
def _limited(memory: int) -> Iterator[None]:
    """No more of the address space than there is in use now, and `memory` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = used + memory
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
