# SPDX-License-Identifier: Apache-2.0
"""The board of `echo_top.py` without the bits of its line: bytes go in and come out whole."""

from functools import cache
from pathlib import Path

from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.link import Link
from antevolt.hdl.io.uart import DIVISOR_BITS
from antevolt.hdl.spec.link import LinkParameters
from antevolt.hdl.spec.machine import Machine
from antevolt.sim.rtl.build import build_component
from antevolt.sim.rtl.byte_line import BYTE, FRONT, SMALL, ByteLine
from antevolt.sim.rtl.echo_core import echoing

__all__ = ["ByteTop", "byte_line"]

MACHINE = Machine()
ENTRY = {"given": In(8), "comes": In(1), "breaks": In(1)}
EXIT = {"leaves": Out(1), "left": Out(8)}
PORTS = {**ENTRY, **EXIT, "divisor": Out(DIVISOR_BITS)}
CLOCK = {"clk": In(1), "rst": In(1)}


class ByteReceiver(wiring.Component):
    """In the place of `UartReceiver`: `given` is a byte of the line when `comes` is 1, or when
    `breaks` is 1 one whose stop bit is low; a cycle later it stands at `byte`."""

    def __init__(self) -> None:
        super().__init__(
            {
                "rx": In(1, init=1),
                "divisor": In(DIVISOR_BITS),
                "byte": Out(8),
                "strobe": Out(1),
                "broken": Out(1),
                **ENTRY,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += [self.byte.eq(self.given), self.strobe.eq(self.comes)]
        m.d.sync += self.broken.eq(self.breaks)
        return m


class ByteTransmitter(wiring.Component):
    """In the place of `UartTransmitter`: in the cycle in which `leaves` is 1, `left` is a byte of
    the line; the next one leaves BYTE cycles for each clock of a bit later."""

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "tx": Out(1, init=1),
                "divisor": In(DIVISOR_BITS),
                "idle": Out(1),
                **EXIT,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(DIVISOR_BITS + BYTE)
        m.d.comb += [self.idle.eq(timer == 0), self.i.ready.eq(self.idle), self.tx.eq(1)]
        m.d.sync += [self.leaves.eq(self.i.valid & self.idle), self.left.eq(self.i.payload)]
        with m.If(~self.idle):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(self.i.valid):
            m.d.sync += timer.eq(BYTE * self.divisor - 1)
        return m


class ByteLink(Link):
    """The link between these two ends; their own signals are `PORTS` of it."""

    ends = (ByteReceiver, ByteTransmitter)

    def __init__(self, link: LinkParameters):
        super().__init__(MACHINE, link)
        for name, member in PORTS.items():
            setattr(self, name, Signal(member.shape, name=name))

    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        for end, names in ((self.receiver, ENTRY), (self.transmitter, EXIT)):
            for name, member in names.items():
                into = member.flow == In
                source, target = (self, end) if into else (end, self)
                m.d.comb += getattr(target, name).eq(getattr(source, name))
        m.d.comb += self.divisor.eq(self.rate.divisor)
        return m


class ByteTop(wiring.Component):
    """Link and `EchoCore`.

    Members
    -------
    given, comes, breaks : to the board, see `ByteReceiver`
    leaves, left : from it, see `ByteTransmitter`
    divisor : the rate that the board has chosen, in clocks per bit
    clk, rst : reset counts a cycle later, so that no input goes through logic (a simulator would
        follow it all the way, twice a cycle)
    """

    def __init__(self, link: LinkParameters = SMALL):
        self.link = link
        super().__init__({**PORTS, **CLOCK})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync, m.domains.early = sync, early = (
            ClockDomain("sync"),
            ClockDomain("early", reset_less=True),
        )
        m.d.comb += [sync.clk.eq(self.clk), early.clk.eq(self.clk)]
        m.d.early += sync.rst.eq(self.rst)
        m.submodules.link = link = ByteLink(self.link)
        echoing(m, link)
        m.d.comb += link.rx.eq(1)
        for name, member in PORTS.items():
            into = member.flow == In
            source, target = (self, link) if into else (link, self)
            m.d.comb += getattr(target, name).eq(getattr(source, name))
        return m


@cache
def library(link: LinkParameters = SMALL) -> Path:
    """The simulator of a `ByteTop`."""
    return build_component(lambda: ByteTop(link), "byte-top", front=FRONT)


def byte_line(link: LinkParameters = SMALL) -> ByteLine:
    return ByteLine(library(link), link)
