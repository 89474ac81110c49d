# SPDX-License-Identifier: Apache-2.0
"""CRC-32 of bytes, one bit per cycle: a byte on a serial line takes four times as long."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

__all__ = ["Crc"]


class Crc(wiring.Component):
    """CRC32_ISO_HDLC, which is `zlib.crc32`.

    Members
    -------
    start : begin anew;  byte, strobe : the next byte, not before `busy` is 0
    crc : of the bytes so far;  match : they end with their own CRC, low byte first
    """

    start: Any
    byte: Any
    strobe: Any
    busy: Any
    crc: Any
    match: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "start": In(1),
                "byte": In(8),
                "strobe": In(1),
                "busy": Out(1),
                "crc": Out(32),
                "match": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.processor = processor = CRC32_ISO_HDLC(data_width=1).create()
        bits, left = Signal(8), Signal(4)
        m.d.comb += [
            self.busy.eq(left != 0),
            *(processor.start.eq(self.start), processor.data.eq(bits[0])),
            processor.valid.eq(self.busy),
            self.crc.eq(processor.crc),
        ]
        m.d.sync += self.match.eq(processor.match_detected & ~self.busy)
        with m.If(self.strobe):
            m.d.sync += [bits.eq(self.byte), left.eq(8)]
        with m.Elif(self.busy):
            m.d.sync += [bits.eq(Cat(bits[1:], 0)), left.eq(left - 1)]
        return m
