# SPDX-License-Identifier: Apache-2.0
"""Operands through a unit whose ports have fixed latencies: one a cycle, or with pauses.

Such a unit cannot be held back, and has no stream to hold back others by: of the matrix of stalls
these are the patterns of one side.
"""

import random
from collections.abc import Iterator
from itertools import islice, repeat, takewhile

from antevolt.sim.bench.streams import stalls
from antevolt.sim.bench.timeline import Timeline

__all__ = ["SOON", "flow", "gaps"]

WIDEST = 64
SOON = 40
"""After so many operands the longest wait of `bursty` comes within the next 8."""


def gaps(idle: str, seed: int = 0, skip: int = 0) -> Iterator[int]:
    """Endless: cycles to wait before the next operand, by one of `STALLS`; `skip`: as if so many
    operands had come already."""
    waits = stalls(idle, seed)
    own = (sum(1 for _ in takewhile(bool, waits)) for _ in repeat(None))
    return islice(own, skip, None)


async def flow(cycles, inputs, outputs, idle="none"):
    """inputs: {port: (cycle of the first, values)}; outputs likewise, with the values expected,
    unsigned. `idle`: one of `STALLS`; in its pauses the inputs hold anything, and what comes of
    that is not looked at."""
    play, draw = Timeline(cycles), random.Random(idle)
    count = max(len(values) for _, values in (*inputs.values(), *outputs.values()))
    places, waits, at = [], gaps(idle, seed=count), -1
    for _ in range(count):
        at += 1 + next(waits)
        places.append(at)
    pauses = set(range(places[-1])) - set(places)
    for port, (first, values) in inputs.items():
        for at, value in zip(places, values, strict=False):
            play.set(first + at, port, int(value))
        for at in pauses:
            play.set(first + at, port, draw.getrandbits(WIDEST))
    for port, (first, values) in outputs.items():
        for at, _ in zip(places, values, strict=False):
            play.look(first + at, port)
    await play.play()
    for port, (first, values) in outputs.items():
        seen = [play.seen[port, first + at] for at, _ in zip(places, values, strict=False)]
        mask = (1 << len(getattr(cycles.dut, port))) - 1
        expected = [int(value) & mask for value in values]
        wrong = [n for n, (a, b) in enumerate(zip(seen, expected, strict=True)) if a != b]
        assert not wrong, (port, wrong[:5], [(seen[n], expected[n]) for n in wrong[:5]])
