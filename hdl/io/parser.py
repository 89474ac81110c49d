# SPDX-License-Identifier: Apache-2.0
"""The parser: frames of the line are found good, or dropped with a code; nothing else gets in."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.cobs import CobsDecoder
from antevolt.hdl.io.crc import Crc
from antevolt.hdl.io.gap import Gap
from antevolt.hdl.io.limits import HEAD_BYTES, LATENCY, Limits
from antevolt.hdl.io.ring import POINTER_BITS
from antevolt.hdl.spec.link import (
    CRC_BYTES,
    GAP_BITS,
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
        bytes); sequenced frames only when they are the next, or come early and are kept
    bad : a frame was dropped, for `code`
    again : a sequenced frame came that had come before
    early : one is kept though frames before it are missing; `code` says so
    expected : the next sequenced frame;  restart : it is `sequence` from now on
    missing, until, opens, fills, closes, free : of the gap behind which frames are kept, `io.gap`
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
    early: Any
    code: Any
    sequence: Any
    head: Any
    expected: Any
    restart: Any
    missing: Any
    until: Any
    opens: Any
    fills: Any
    closes: Any
    free: Any
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
                "early": Out(1),
                "code": Out(4),
                "sequence": Out(POINTER_BITS),
                "head": Out(8 * HEAD_BYTES),
                "expected": Out(POINTER_BITS),
                "restart": In(1),
                "missing": Out(GAP_BITS),
                "until": Out(GAP_BITS),
                **{name: Out(1) for name in ("opens", "fills", "closes")},
                "free": In(1),
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
        m.submodules.gap = self.gap = gap = Gap(self.link.selective)
        m.d.comb += [
            *(gap.sequence.eq(self.sequence), gap.restart.eq(self.restart)),
            *(gap.free.eq(self.free), gap.commit.eq(self.commit)),
            *(self.expected.eq(gap.expected), self.missing.eq(gap.missing)),
            *(self.until.eq(gap.until), self.opens.eq(gap.opens)),
            *(self.fills.eq(gap.fills), self.closes.eq(gap.closes)),
        ]
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
        gap, code = self.gap, Signal(4)
        orderly = self.kind >= SEQUENCED
        m.d.comb += [code.eq(limit), self.count.eq(1), self.drop.eq(~self.commit)]
        with m.If(oversize):
            m.d.comb += code.eq(Code.OVERSIZE)
        with m.Elif(short):
            m.d.comb += code.eq(Code.SHORT)
        with m.Elif(~well):
            m.d.comb += code.eq(Code.CRC)
        with m.Elif((limit == 0) & orderly & gap.strange):
            m.d.comb += code.eq(Code.SEQUENCE)
        with m.Elif((limit == 0) & orderly & ~gap.known & self.full):
            m.d.comb += code.eq(Code.CREDIT)
        came = (code == 0) & orderly & gap.known
        m.d.comb += [
            *(self.bad.eq(code != 0), self.again.eq(came)),
            self.good.eq((code == 0) & ~came),
            self.commit.eq(self.good & orderly),
            self.early.eq(self.commit & gap.ahead),
            self.code.eq(Mux(self.early, Code.MISSING, code)),
            self.event.eq(Mux(came, LinkRegister.DUPLICATES, code)),
            self.count.eq(self.bad | came | self.commit),
        ]
