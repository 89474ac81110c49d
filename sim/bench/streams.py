# SPDX-License-Identifier: Apache-2.0
"""Drivers of clocked ports in cocotb: a clock that moves all of them, stream sources and sinks.

A cycle goes from one falling edge of the clock to the next. At its start all drivers set inputs;
when the design has settled, all of them look at what the rising edge will see. So nothing depends
on the order in which the simulator runs them.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import cycle, repeat
from typing import Any, Protocol

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, Timer

from antevolt.sim.bench.simulator import inputs

__all__ = ["STALLS", "Cycles", "Driver", "Sink", "Source", "stalls"]

PERIOD = 10  # ns
STALLS = ("none", "one_in_four", "bursty", "random")
BURSTS = (5, 1, 40, 3, 2, 300)  # cycles of going and waiting in turns
LIMIT = 200_000  # cycles after which a wait fails


def stalls(pattern: str, seed: int = 0) -> Iterator[bool]:
    """Endless: whether to wait in a cycle."""
    if pattern == "none":
        return repeat(False)
    if pattern == "one_in_four":
        return cycle((False, False, False, True))
    if pattern == "bursty":
        return cycle([bool(n % 2) for n, length in enumerate(BURSTS) for _ in range(length)])
    if pattern == "random":
        draw = random.Random(seed)
        return (draw.random() < 0.5 for _ in repeat(None))
    raise ValueError(f"there is no stall pattern {pattern!r}; there are {', '.join(STALLS)}")


class Driver(Protocol):
    """What `Cycles` moves once per cycle."""

    def drive(self) -> None:
        """Set inputs of the design."""

    def sample(self) -> None:
        """Look at the design; inputs and outputs are those of the coming rising edge."""


class Cycles:
    """The clock of a bench, and all that moves with it; inputs start at 0.

    number  cycles since the start

        cycles = Cycles(dut)
        source, sink = Source(cycles, "i", "random"), Sink(cycles, "o")
        await cycles.reset()
        source.send(words)
        await cycles.until(lambda: len(sink.words) == len(words))
    """

    def __init__(self, dut: Any):
        self.dut, self.number = dut, 0
        self.drivers: list[Driver] = []
        for port in inputs():  # one that nobody drives would be unknown
            getattr(dut, port).value = 0
        dut.rst.value = 1
        self._falling = FallingEdge(dut.clk)
        Clock(dut.clk, PERIOD, unit="ns").start()

    async def step(self) -> None:
        """One cycle; afterwards its rising edge is past, and inputs can be set for the next."""
        for driver in self.drivers:
            driver.drive()
        await ReadOnly()
        for driver in self.drivers:
            driver.sample()
        await self._falling
        self.number += 1

    async def reset(self, cycles: int = 2) -> None:
        """Hold the reset for some cycles: at the start, and whenever wanted."""
        self.dut.rst.value = 1
        for _ in range(cycles + 1):
            await self._falling
        self.dut.rst.value = 0

    async def run(self, cycles: int) -> None:
        """So many cycles; a driver that joins where there was none is moved from the end on."""
        if cycles > 1 and not self.drivers:  # nobody moves: the simulator goes on by itself
            await Timer(cycles * PERIOD - PERIOD // 4, unit="ns")
            await self._falling
            self.number += cycles
            return
        for _ in range(cycles):
            await self.step()

    async def until(self, condition: Callable[[], bool], limit: int = LIMIT) -> int:
        """Step until it holds, at least once; how many cycles. Fails after `limit`."""
        for n in range(1, limit + 1):
            await self.step()
            if condition():
                return n
        raise TimeoutError(f"still waiting after {limit} cycles")


class Source:
    """Sends words into the stream port `name` (`name__payload`, `__valid`, `__ready`).

    taken  words that the design took
    """

    def __init__(self, cycles: Cycles, name: str, stall: str = "none", seed: int = 0):
        dut = cycles.dut
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{part}") for part in ("payload", "valid", "ready")
        )
        self.stalls = stalls(stall, seed)
        self.words: deque[int] = deque()
        self.taken = 0
        self.offered = self.shown = False
        self.mask = (1 << len(self.payload)) - 1
        self.valid.value = 0
        cycles.drivers.append(self)

    def send(self, words: Iterable[int]) -> None:
        """Queue words; negative ones are taken in two's complement."""
        self.words.extend(int(word) & self.mask for word in words)

    def clear(self) -> None:
        """Forget what is queued, an offered word too (as after a reset)."""
        self.words.clear()
        self.offered = False

    def drive(self) -> None:
        if not self.offered and self.words and not next(self.stalls):
            self.payload.value = self.words[0]
            self.offered = True
        if self.offered is not self.shown:
            self.valid.value = int(self.offered)
            self.shown = self.offered

    def sample(self) -> None:
        if self.offered and int(self.ready.value):
            self.words.popleft()
            self.taken += 1
            self.offered = False


class Sink:
    """Receives words from the stream port `name` and checks the rules of a stream.

    words  received words, unsigned

    Fails when valid falls, or the payload changes, before the word is taken.
    """

    def __init__(self, cycles: Cycles, name: str, stall: str = "none", seed: int = 0):
        dut = cycles.dut
        self.name = name
        self.payload, self.valid, self.ready = (
            getattr(dut, f"{name}__{part}") for part in ("payload", "valid", "ready")
        )
        self.stalls = stalls(stall, seed)
        self.words: list[int] = []
        self.held: int | None = None
        self.open = True
        self.takes = False
        self.ready.value = 0
        cycles.drivers.append(self)

    def clear(self) -> None:
        """Forget what came (as after a reset)."""
        self.words.clear()
        self.held = None

    def drive(self) -> None:
        takes = self.open and not next(self.stalls)
        if takes is not self.takes:
            self.ready.value = int(takes)
            self.takes = takes

    def sample(self) -> None:
        if not int(self.valid.value):
            assert self.held is None, f"{self.name}: valid fell before its word was taken"
            return
        word = int(self.payload.value)
        assert self.held in (None, word), f"{self.name}: {self.held:x} became {word:x} untaken"
        self.held = None if self.takes else word
        if self.takes:
            self.words.append(word)
