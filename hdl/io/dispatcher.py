# SPDX-License-Identifier: Apache-2.0
"""The dispatcher: good frames, in order, to the core's ports."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.flags import INPUT_FLAG_BITS
from antevolt.hdl.spec.link import FRAMES, LINK_REGION, Kind, LinkRegister
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS, Region

__all__ = ["ACCESS_BITS", "Dispatcher"]

ACCESS_BITS = 1 + 4 + UNIT_BITS + INDEX_BITS + DATA_BITS
HEAD_BYTES = 6
SETTLED = 3  # cycles without a step after which there is none


class Dispatcher(wiring.Component):
    """Takes frames apart, one bit per cycle.

    Members
    -------
    i : bytes of a ring of frames that were found good
    x, y, access, answer : of the core;  resting : no step runs, no input waits
    o, echo : words for the host: of READ, of ECHO
    counter, counted : number of a counter of the link, and what it holds 2 cycles later
    fingerprint : as the host wrote it; 0 from any write to the program or the tables on
    """

    i: Any
    x: Any
    y: Any
    access: Any
    answer: Any
    resting: Any
    o: Any
    echo: Any
    counter: Any
    counted: Any
    fingerprint: Any

    def __init__(self, machine: Machine):
        self.word = machine.formats.word
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "x": Out(stream.Signature(self.word + INPUT_FLAG_BITS)),
                "y": Out(stream.Signature(self.word)),
                "access": Out(stream.Signature(ACCESS_BITS)),
                "answer": In(stream.Signature(DATA_BITS)),
                "resting": In(1),
                "o": Out(stream.Signature(DATA_BITS)),
                "echo": Out(stream.Signature(8)),
                "counter": Out(4),
                "counted": In(16),
                "fingerprint": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kind, left, head = Signal(8), Signal(8), Signal(8 * HEAD_BYTES)
        place, fields, width = Signal(3), Signal(3), Signal(6)
        byte, bits, filled = Signal(8), Signal(4), Signal(6)
        self.kind, self.head, self.shift = kind, head, Signal(DATA_BITS)
        count, wait = head[32:], Signal(2)
        link = head[:8] == LINK_REGION
        self._tables(m, fields, width)
        self._ports(m, link)
        takes = self.i.valid & self.i.ready
        m.d.sync += wait.eq(0)
        with m.FSM():
            with m.State("LENGTH"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += [left.eq(self.i.payload), place.eq(0), bits.eq(0), filled.eq(0)]
                with m.If(takes):
                    m.next = "KIND"
            with m.State("KIND"):
                m.d.comb += self.i.ready.eq(1)
                m.d.sync += kind.eq(self.i.payload)
                with m.If(takes):
                    m.next = "TABLES"
            with m.State("TABLES"):  # they are a cycle late
                m.next = "HEAD"
            with m.State("HEAD"):
                with m.If(place == fields):
                    m.next = "BODY"
                    with m.If((kind == Kind.READ) | (kind == Kind.WRITE)):
                        m.next = "REST"
                with m.Else():
                    m.d.comb += self.i.ready.eq(1)
                    with m.If(takes):
                        m.d.sync += [place.eq(place + 1), left.eq(left - 1)]
                        for k in range(HEAD_BYTES):
                            with m.If(place == k):
                                m.d.sync += head[8 * k : 8 * k + 8].eq(self.i.payload)
            with m.State("REST"):
                with m.If(self.resting):
                    m.d.sync += wait.eq(wait + 1)
                    with m.If(wait == SETTLED):
                        m.next = "BODY"
                        with m.If(kind == Kind.READ):
                            m.next = "ASK"
            with m.State("BODY"):
                with m.If(left == 0):
                    m.next = "LENGTH"
                with m.Else():
                    m.d.comb += self.i.ready.eq(1)
                    m.d.sync += [byte.eq(self.i.payload), bits.eq(8)]
                    with m.If(takes):
                        m.d.sync += left.eq(left - 1)
                        m.next = "BITS"
            with m.State("BITS"):
                m.d.sync += [self.shift.eq(Cat(self.shift[1:], byte[0])), byte.eq(byte[1:])]
                m.d.sync += [bits.eq(bits - 1), filled.eq(filled + 1)]
                with m.If(filled + 1 == width):
                    m.d.sync += filled.eq(0)
                    m.next = "PUT"
                with m.Elif(bits == 1):
                    m.next = "BODY"
            with m.State("PUT"):
                m.d.comb += self.putting.eq(1)
                with m.If(self.put):
                    m.d.sync += head[16:32].eq(head[16:32] + 1)
                    m.next = "BODY"
                    with m.If(bits != 0):
                        m.next = "BITS"
            with m.State("ASK"):
                m.d.comb += self.access.valid.eq(~link)
                m.d.sync += wait.eq(wait + 1)
                with m.If(Mux(link, wait == SETTLED, self.access.ready)):
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                m.d.comb += [
                    self.o.valid.eq(link | self.answer.valid),
                    self.answer.ready.eq(self.o.ready & ~link),
                ]
                with m.If(self.o.valid & self.o.ready):
                    m.d.sync += [head[16:32].eq(head[16:32] + 1), count.eq(count - 1)]
                    m.next = "ASK"
                    with m.If(count == 1):
                        m.next = "LENGTH"
        return m

    def _tables(self, m: Module, fields: Signal, width: Signal) -> None:
        """What the kind says about its payload."""
        m.d.sync += [fields.eq(0), width.eq(0)]
        with m.Switch(self.kind):
            for kind, frame in FRAMES.items():
                if kind.sequenced:
                    with m.Case(kind):
                        m.d.sync += [fields.eq(frame.head), width.eq(frame.width(self.word))]

    def _ports(self, m: Module, link: Any) -> None:
        """A word of each width stands at the top of the shift register."""
        word, kind, head = self.word, self.kind, self.head
        region, unit, index = head[:4], head[8:16], head[16:32]
        narrow, wide = self.shift[-word:], self.shift[-word - INPUT_FLAG_BITS :]
        own = Signal(DATA_BITS)
        m.d.comb += self.counter.eq(index)
        with m.If(index == LinkRegister.FINGERPRINT):
            m.d.comb += own.eq(self.fingerprint)
        with m.Else():
            m.d.comb += own.eq(self.counted)
        self.putting, self.put = Signal(), Signal()
        fingerprint = Signal(32, reset_less=True)  # memories keep their words in a reset too
        m.d.comb += self.fingerprint.eq(fingerprint)
        write = kind == Kind.WRITE
        m.d.comb += [
            self.x.payload.eq(Mux(kind == Kind.X, Cat(narrow, head[:INPUT_FLAG_BITS]), wide)),
            self.y.payload.eq(narrow),
            self.access.payload.eq(Cat(write, region, unit, index, self.shift)),
            self.echo.payload.eq(self.shift[-8:]),
            self.o.payload.eq(Mux(link, own, self.answer.payload)),
        ]
        with m.If(self.putting):
            with m.Switch(kind):
                with m.Case(Kind.X, Kind.X_FLAGS):
                    m.d.comb += [self.x.valid.eq(1), self.put.eq(self.x.ready)]
                with m.Case(Kind.Y):
                    m.d.comb += [self.y.valid.eq(1), self.put.eq(self.y.ready)]
                with m.Case(Kind.ECHO):
                    m.d.comb += [self.echo.valid.eq(1), self.put.eq(self.echo.ready)]
                with m.Default():
                    m.d.comb += [self.access.valid.eq(~link), self.put.eq(link | self.access.ready)]
                    with m.If(link & (index == LinkRegister.FINGERPRINT)):
                        m.d.sync += fingerprint.eq(self.shift)
                    with m.If(~link & ((region == Region.PROGRAM) | (region == Region.PHI))):
                        m.d.sync += fingerprint.eq(0)
