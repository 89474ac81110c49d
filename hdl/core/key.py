# SPDX-License-Identifier: Apache-2.0
"""Makes the key of an APPLY's random bits, one round per cycle, or with a lane's rounds."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.mixer import LATENCY
from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.dither import ROTATIONS
from antevolt.hdl.spec.timing import KEY

__all__ = ["KeyMixer", "LaneKey"]


PORTS = {
    "start": In(1),
    "seed": In(32),
    "step": In(32),
    "projection": In(12),
    "key": Out(32),
}
SUMS = sum(op == "add" for op, _ in ROTATIONS)


class KeyMixer(wiring.Component):
    """key = mix(mix(seed ^ step) ^ projection), the twin of `spec.dither.key`.

    Members
    -------
    start : takes seed and step;  projection : from then on, until the key is there
    key : `latency` cycles after the start, until the next one
    """

    latency = 2 * (1 + SUMS) + 2

    start: Any
    seed: Any
    step: Any
    projection: Any
    key: Any

    def __init__(self) -> None:
        super().__init__(PORTS)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # a register behind each sum: what enters at the start has passed once, and then twice
        word, again, passes = register("word", 32), register("again", 32), [self.start]
        for n in range(self.latency - 1):
            passes.append(Signal(name=f"pass{n}"))
            m.d.sync += passes[-1].eq(passes[-2] & (~self.start if n else 1))
        mixed: Any = word
        for n, (op, by) in enumerate(ROTATIONS):
            if op == "add":
                total = register(f"sum{n}", 32)
                m.d.sync += total.eq(mixed + (mixed << by))
                mixed = total
            else:
                mixed = mixed ^ (mixed >> by)
        m.d.sync += [
            again.eq(mixed ^ self.projection),
            word.eq(Mux(self.start, self.seed ^ self.step, again)),
        ]
        with m.If(passes[-1]):
            m.d.sync += self.key.eq(mixed)
        return m


class LaneKey(wiring.Component):
    """The same with the mixer of an apply lane, which has nothing to do while a key is made.

    Members
    -------
    start, projection, key : as `KeyMixer`'s, but that `key` changes meanwhile
    seed, step : a cycle after the start, and two cycles after it
    takes, word : `word ^ key` is to be mixed;  mixed : what comes of it, `mixer.LATENCY` later
    """

    latency = 1 + 2 * (1 + LATENCY)

    start: Any
    seed: Any
    step: Any
    projection: Any
    key: Any
    takes: Any
    word: Any
    mixed: Any

    def __init__(self) -> None:
        own = {"takes": Out(1), "word": Out(32), "mixed": In(32)}
        super().__init__({**PORTS, **own})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        passes = [self.start]
        for n in range(self.latency - 1):
            passes.append(Signal(name=f"pass{n}"))
            m.d.sync += passes[-1].eq(passes[-2] & (~self.start if n else 1))
        first, second, last = passes[2], passes[2 + LATENCY], passes[2 + 2 * LATENCY]
        m.d.comb += self.takes.eq(first | second)
        m.d.comb += self.word.eq(Mux(first, self.step, self.mixed))
        with m.If(passes[1]):
            m.d.sync += self.key.eq(self.seed)
        with m.Elif(first):
            m.d.sync += self.key.eq(self.projection)
        with m.Elif(last):
            m.d.sync += self.key.eq(self.mixed)
        return m


if max(KeyMixer.latency, LaneKey.latency) > KEY:
    raise RuntimeError("an APPLY starts before its key is made")
