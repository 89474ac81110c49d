# SPDX-License-Identifier: Apache-2.0
"""Bytes on a serial line: 8 data bits, no parity, one stop bit, idle high."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["DIVISOR_BITS", "UartReceiver", "UartTransmitter"]

DIVISOR_BITS = 16


class UartReceiver(wiring.Component):
    """Samples each bit in its middle; after a stop bit that is low, waits for an idle line.

    Members
    -------
    rx : the line;  divisor : clocks per bit, 4 or more
    byte : the byte that came, in the cycle in which `strobe` is 1
    broken : 1 instead of `strobe` where the stop bit is low
    """

    rx: Any
    divisor: Any
    byte: Any
    strobe: Any
    broken: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "rx": In(1, init=1),
                "divisor": In(DIVISOR_BITS),
                "byte": Out(8),
                "strobe": Out(1),
                "broken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line, timer, left = Signal(init=1), Signal(DIVISOR_BITS), Signal(3)
        m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)
        over = Signal()
        m.d.comb += over.eq(timer == 0)
        m.d.sync += [timer.eq(timer - 1), self.strobe.eq(0), self.broken.eq(0)]
        with m.If(over):
            m.d.sync += timer.eq(self.divisor - 1)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq((self.divisor >> 1) - 1), left.eq(7)]
                with m.If(~line):
                    m.next = "START"
            with m.State("START"), m.If(over):
                m.next = "DATA"
                with m.If(line):  # a spike
                    m.next = "IDLE"
            with m.State("DATA"), m.If(over):
                m.d.sync += [self.byte.eq(Cat(self.byte[1:], line)), left.eq(left - 1)]
                with m.If(left == 0):
                    m.next = "STOP"
            with m.State("STOP"), m.If(over):
                m.d.sync += [self.strobe.eq(line), self.broken.eq(~line)]
                m.next = "IDLE"
                with m.If(~line):
                    m.next = "BROKEN"
            with m.State("BROKEN"), m.If(line):
                m.next = "IDLE"
        return m


class UartTransmitter(wiring.Component):
    """Sends bytes, without a gap while there are some.

    Members
    -------
    i : bytes;  tx : the line;  divisor : clocks per bit
    idle : nothing is on the line
    """

    i: Any
    tx: Any
    divisor: Any
    idle: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "tx": Out(1, init=1),
                "divisor": In(DIVISOR_BITS),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, left, timer = Signal(9, init=0x1FF), Signal(4), Signal(DIVISOR_BITS)
        m.d.comb += [self.idle.eq(left == 0), self.i.ready.eq(self.idle)]
        m.d.sync += self.tx.eq(bits[0])
        with m.If(~self.idle):
            m.d.sync += timer.eq(timer - 1)
            with m.If(timer == 0):
                m.d.sync += [bits.eq(Cat(bits[1:], 1)), left.eq(left - 1)]
                m.d.sync += timer.eq(self.divisor - 1)
                with m.If((left == 1) & self.i.valid):  # the next byte follows at once
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += [bits.eq(Cat(0, self.i.payload)), left.eq(10)]
        with m.Elif(self.i.valid):
            m.d.sync += [bits.eq(Cat(0, self.i.payload)), left.eq(10)]
            m.d.sync += timer.eq(self.divisor - 1)
        return m
