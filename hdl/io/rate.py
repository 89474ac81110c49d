# SPDX-License-Identifier: Apache-2.0
"""The rate of the line, and whether the board may speak: on trial, and only while it is heard."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.uart import DIVISOR_BITS
from antevolt.hdl.spec.link import LinkParameters

__all__ = ["Rate"]

CALM = 8  # cycles without anything to send after which the line is at rest


class Rate(wiring.Component):
    """Speaks from the first HELLO or RESET on; when no good frame comes any more, falls silent and
    back to the rate of power-up.

    Members
    -------
    heard : a good frame came;  opens : it was HELLO or RESET
    change, wanted : the host wants this divisor
    drained : nothing is to be sent, apart from frames that `changing` holds back
    divisor : clocks per bit;  mute : say nothing;  changing : send replies only
    """

    heard: Any
    opens: Any
    change: Any
    wanted: Any
    drained: Any
    divisor: Any
    mute: Any
    changing: Any

    def __init__(self, link: LinkParameters):
        self.link = link
        super().__init__(
            {
                "heard": In(1),
                "opens": In(1),
                "change": In(1),
                "wanted": In(DIVISOR_BITS),
                "drained": In(1),
                "divisor": Out(DIVISOR_BITS, init=link.divisor(link.power_up_baud)),
                "mute": Out(1, init=1),
                "changing": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        link = self.link
        silence, trial = (round(s * link.clock_hz) for s in (link.silence, link.trial))
        timer, calm = Signal(range(silence + 1)), Signal(range(CALM + 1))
        wanted = Signal(DIVISOR_BITS)
        with m.If(self.heard):
            m.d.sync += timer.eq(silence)
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [self.mute.eq(1), self.changing.eq(0)]
            m.d.sync += self.divisor.eq(link.divisor(link.power_up_baud))
        with m.If(self.opens):
            m.d.sync += self.mute.eq(0)
        with m.If(self.change):
            m.d.sync += [wanted.eq(self.wanted), self.changing.eq(1), calm.eq(CALM)]
        with m.Elif(self.changing):
            m.d.sync += calm.eq(calm - 1)
            with m.If(~self.drained):
                m.d.sync += calm.eq(CALM)
            with m.Elif(calm == 0):
                m.d.sync += [self.divisor.eq(wanted), self.changing.eq(0), timer.eq(trial)]
        return m
