# SPDX-License-Identifier: Apache-2.0
"""Makes the key of an APPLY's random bits, one round per cycle."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
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
        # one of `on` says which round is at work: that is all there is behind an adder
        on, second = Signal(rounds + 1), Signal()
        between = on[rounds] & ~second
        m.d.sync += on.eq(Mux(self.start, 1, Cat(between, on[:rounds])))
        with m.If(self.start | on[rounds]):
            m.d.sync += second.eq(~self.start)
        total: Any = Mux(between, word ^ self.projection, 0)
        for n, (op, by) in enumerate(ROTATIONS):
            mixed = (word + (word << by))[:32] if op == "add" else word ^ (word >> by)
            total = total | mixed & on[n].replicate(32)
        with m.If(self.start):
            m.d.sync += word.eq(self.seed ^ self.step)
        with m.Elif(on[:rounds].any() | between):
            m.d.sync += word.eq(total)
        return m


if KeyMixer.latency > KEY:
    raise RuntimeError("an APPLY starts before its key is made")
