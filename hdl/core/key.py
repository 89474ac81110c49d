# SPDX-License-Identifier: Apache-2.0
"""Makes the key of an APPLY's random bits, one round per cycle."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.dither import ROTATIONS
from antevolt.hdl.spec.timing import KEY

__all__ = ["KeyMixer"]


class KeyMixer(wiring.Component):
    """key = mix(mix(seed ^ step) ^ projection), the twin of `spec.dither.key`.

    Members
    -------
    start : takes seed and step;  projection : from then on, until the key is there
    key : `latency` cycles after the start, until the next one
    """

    latency = 2 * len(ROTATIONS) + 2

    start: Any
    seed: Any
    step: Any
    projection: Any
    key: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "seed": In(32),
                "step": In(32),
                "projection": In(12),
                "key": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rounds, word = len(ROTATIONS), self.key
        at = Signal(range(2 * rounds + 2), init=2 * rounds + 1)
        with m.If(self.start):
            m.d.sync += [word.eq(self.seed ^ self.step), at.eq(0)]
        with m.Elif(at != 2 * rounds + 1):
            m.d.sync += at.eq(at + 1)
            with m.Switch(at):
                for half in range(2):
                    for n, (op, by) in enumerate(ROTATIONS):
                        mixed = word + (word << by) if op == "add" else word ^ (word >> by)
                        with m.Case(half * (rounds + 1) + n):
                            m.d.sync += word.eq(mixed)
                with m.Case(rounds):
                    m.d.sync += word.eq(word ^ self.projection)
        return m


if KeyMixer.latency > KEY:
    raise RuntimeError("an APPLY starts before its key is made")
