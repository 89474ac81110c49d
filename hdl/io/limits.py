# SPDX-License-Identifier: Apache-2.0
"""Whether a frame may be: its length by its kind, its place by the machine's memories."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.uart import DIVISOR_BITS
from antevolt.hdl.spec.link import (
    CRC_BYTES,
    FRAMES,
    VERSION,
    Code,
    Kind,
    LinkParameters,
    memory_limits,
)
from antevolt.hdl.spec.machine import Machine

__all__ = ["HEAD_BYTES", "LATENCY", "Limits"]

HEAD_BYTES = 6  # of a payload are kept: the longest fields
LATENCY = 3


class Limits(wiring.Component):
    """Follows a frame's payload and knows at its end what is wrong with it.

    Members
    -------
    kind : of the frame, before its payload comes
    start : a frame begins;  push, byte : a byte of its payload, or of the CRC behind it
    head : the first bytes of the payload
    code : what is wrong (`spec.link.Code`; KIND, LENGTH, RANGE, VERSION), else 0; LATENCY cycles
        after the last byte
    """

    kind: Any
    start: Any
    push: Any
    byte: Any
    count: Any
    head: Any
    code: Any

    def __init__(self, machine: Machine, link: LinkParameters):
        self.machine, self.link = machine, link
        super().__init__(
            {
                "kind": In(8),
                "start": In(1),
                "push": In(1),
                "byte": In(8),
                "count": Out(8),
                "head": Out(8 * HEAD_BYTES),
                "code": Out(4),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        head = self.head
        with m.If(self.push):
            m.d.sync += self.count.eq(self.count + 1)
            for k in range(HEAD_BYTES):
                with m.If(self.count == k):
                    m.d.sync += head[8 * k : 8 * k + 8].eq(self.byte)
        with m.If(self.start):
            m.d.sync += self.count.eq(0)
        known, length = self._length(m)
        fits = self._fits(m)
        right = Signal(init=1)
        with m.Switch(self.kind):
            with m.Case(Kind.HELLO):
                m.d.sync += right.eq(head[:8] == VERSION)
            with m.Default():
                m.d.sync += right.eq(1)
        m.d.sync += self.code.eq(
            Mux(
                ~known,
                Code.KIND,
                Mux(~length, Code.LENGTH, Mux(~right, Code.VERSION, Mux(fits, 0, Code.RANGE))),
            )
        )
        return m

    def _length(self, m: Module) -> tuple[Any, Any]:
        """The kind is one, and its payload has a length that it can have."""
        known, length = Signal(), Signal()
        fields, width, whole = Signal(4), Signal(6), Signal()
        m.d.sync += [known.eq(0), width.eq(0), fields.eq(0)]
        with m.Switch(self.kind):
            for kind, frame in FRAMES.items():
                with m.Case(kind):
                    m.d.sync += [known.eq(1), fields.eq(frame.head + CRC_BYTES)]
                    m.d.sync += width.eq(frame.width(self.machine.formats.word))
        # words are counted CRC_BYTES late, so that the CRC is none of them
        self.words, rest = Signal(8), Signal(6)
        more = rest + 8
        with m.If(self.push & (self.count >= fields)):
            m.d.sync += rest.eq(more)
            with m.If(more >= width):
                m.d.sync += [rest.eq(more - width), self.words.eq(self.words + 1)]
        with m.If(self.start):
            m.d.sync += [rest.eq(0), self.words.eq(0)]
        m.d.comb += whole.eq((self.words != 0) & (rest < 8))
        m.d.sync += length.eq(Mux(width == 0, self.count == fields, whole))
        return known, length

    def _fits(self, m: Module) -> Any:
        """Memories and rates that there are."""
        fits = Signal(init=1)
        region, unit, index, asked = (
            self.head[a:b] for a, b in ((0, 8), (8, 16), (16, 32), (32, 48))
        )
        units, words, last = Signal(9), Signal(17), Signal(18)
        m.d.sync += [units.eq(0), words.eq(0)]
        with m.Switch(region):
            for number, limit in memory_limits(self.machine).items():
                with m.Case(number):
                    m.d.sync += [units.eq(limit.units), words.eq(limit.words)]
        count = Mux(self.kind == Kind.READ, asked, self.words)
        m.d.sync += last.eq(index + count)
        divisor = self.head[:DIVISOR_BITS]
        with m.Switch(self.kind):
            with m.Case(Kind.READ, Kind.WRITE):
                m.d.sync += fits.eq((unit < units) & (last <= words) & Cat(count).any())
            with m.Case(Kind.BAUD):
                slow, fast = (
                    self.link.divisor(baud)
                    for baud in (self.link.power_up_baud, self.link.fastest_baud)
                )
                m.d.sync += fits.eq((divisor >= fast) & (divisor <= slow))
            with m.Default():
                m.d.sync += fits.eq(1)
        return fits
