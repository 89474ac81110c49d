# SPDX-License-Identifier: Apache-2.0
"""The parser: frames of the line are found good, or dropped with a code; nothing else gets in."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.cobs import CobsDecoder
from antevolt.hdl.io.crc import Crc
from antevolt.hdl.io.limits import HEAD_BYTES, LATENCY, Limits
from antevolt.hdl.io.ring import POINTER_BITS
from antevolt.hdl.spec.link import (
    CRC_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES,
    Code,
    Kind,
    LinkParameters,
    LinkRegister,
)
from antevolt.hdl.spec.machine import Machine

__all__ = ["Parser"]

SEQUENCED = Kind.X  # the first of them


class Parser(wiring.Component):
    """Bytes of the line in; payloads go into a ring as they come, and count at their good end.

    Members
    -------
    byte, strobe, broken : of the line
    push, payload : into the ring;  kind, length, commit, drop : its end;  full : it had no place
    good : in this cycle a frame was found good: `kind`, `sequence`, `head` (the payload's first
        bytes); sequenced frames only when they are the next
    bad : a frame was dropped, for `code`
    again : a sequenced frame came that had come before
    expected : the next sequenced frame;  restart : it is `sequence` from now on
    event, count : for the counters, in the same cycle: `spec.link.LinkRegister`

    A verdict falls 12 cycles after the delimiter; the next byte of a line takes longer.
    """

    byte: Any
    strobe: Any
    broken: Any
    push: Any
    payload: Any
    kind: Any
    length: Any
    commit: Any
    drop: Any
    full: Any
    good: Any
    bad: Any
    again: Any
    code: Any
    sequence: Any
    head: Any
    expected: Any
    restart: Any
    event: Any
    count: Any

    def __init__(self, machine: Machine, link: LinkParameters):
        self.machine, self.link = machine, link
        super().__init__(
            {
                "byte": In(8),
                "strobe": In(1),
                "broken": In(1),
                "push": Out(1),
                "payload": Out(8),
                "kind": Out(8),
                "length": Out(8),
                "commit": Out(1),
                "drop": Out(1),
                "full": In(1),
                "good": Out(1),
                "bad": Out(1),
                "again": Out(1),
                "code": Out(4),
                "sequence": Out(POINTER_BITS),
                "head": Out(8 * HEAD_BYTES),
                "expected": Out(POINTER_BITS),
                "restart": In(1),
                "event": Out(4),
                "count": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.decoder = decoder = CobsDecoder()
        m.submodules.crc = crc = Crc()
        m.submodules.limits = limits = Limits(self.machine, self.link)
        place, oversize, start = Signal(2), Signal(), Signal()
        m.d.comb += [
            *(decoder.i.eq(self.byte), decoder.strobe.eq(self.strobe)),
            decoder.broken.eq(self.broken),
            *(crc.byte.eq(decoder.o), crc.strobe.eq(decoder.o_strobe), crc.start.eq(start)),
            *(limits.kind.eq(self.kind), limits.byte.eq(decoder.o), limits.start.eq(start)),
            *(self.payload.eq(decoder.o), limits.push.eq(self.push)),
            *(self.head.eq(limits.head), self.length.eq(limits.count - CRC_BYTES)),
        ]
        with m.If(decoder.o_strobe):
            with m.Switch(place):
                with m.Case(0):
                    m.d.sync += self.kind.eq(decoder.o)
                with m.Case(1):
                    m.d.sync += self.sequence[:8].eq(decoder.o)
                with m.Case(2):
                    m.d.sync += self.sequence[8:].eq(decoder.o)
                with m.Default():
                    most = limits.count == PAYLOAD_BYTES + CRC_BYTES
                    m.d.comb += self.push.eq(~most & ~oversize)
                    m.d.sync += oversize.eq(oversize | most)
            with m.If(place != HEADER_BYTES):
                m.d.sync += place.eq(place + 1)
        with m.If(self.restart):
            m.d.sync += self.expected.eq(self.sequence)
        well = Signal()  # what the decoder says
        timer = Signal(range(16))
        with m.FSM():
            with m.State("FRAME"):
                m.d.sync += [well.eq(decoder.good), timer.eq(8 + LATENCY)]
                with m.If(decoder.end):
                    m.next = "SETTLE"
            with m.State("SETTLE"):  # the last byte of the CRC may have come just now
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.next = "JUDGE"
            with m.State("JUDGE"):
                short = (place != HEADER_BYTES) | (limits.count < CRC_BYTES)
                self._judge(m, well & crc.match, oversize, short, limits.code)
                m.d.comb += start.eq(1)
                m.d.sync += [place.eq(0), oversize.eq(0)]
                m.next = "FRAME"
        return m

    def _judge(self, m: Module, well: Any, oversize: Any, short: Any, limit: Any) -> None:
        """In the order: what the line did, then what the host asks for."""
        ahead = Signal(POINTER_BITS)
        sequenced = self.kind >= SEQUENCED
        m.d.comb += [ahead.eq(self.sequence - self.expected), self.count.eq(1)]
        m.d.comb += [self.code.eq(limit), self.drop.eq(~self.commit)]
        with m.If(oversize):
            m.d.comb += self.code.eq(Code.OVERSIZE)
        with m.Elif(short):
            m.d.comb += self.code.eq(Code.SHORT)
        with m.Elif(~well):
            m.d.comb += self.code.eq(Code.CRC)
        with m.Elif((limit == 0) & sequenced & ~ahead[-1] & ahead.any()):
            m.d.comb += self.code.eq(Code.SEQUENCE)
        with m.Elif((limit == 0) & sequenced & ~ahead.any() & self.full):
            m.d.comb += self.code.eq(Code.CREDIT)
        came = (self.code == 0) & sequenced & ahead[-1]
        m.d.comb += [
            *(self.bad.eq(self.code != 0), self.again.eq(came)),
            self.good.eq((self.code == 0) & ~came),
            self.commit.eq(self.good & sequenced),
            self.event.eq(Mux(came, LinkRegister.DUPLICATES, self.code)),
            self.count.eq(self.bad | came | self.commit),
        ]
        with m.If(self.commit):
            m.d.sync += self.expected.eq(self.expected + 1)
