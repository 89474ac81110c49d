# SPDX-License-Identifier: Apache-2.0
"""The dispatcher: good frames, in order, to the core's ports."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.flags import INPUT_FLAG_BITS
from antevolt.hdl.spec.link import FRAMES, LINK_REGION, Kind, LinkRegister, memory_limits
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS, Region

__all__ = ["ACCESS_BITS", "Dispatcher"]

REGION_BITS = 4
ACCESS_BITS = 1 + REGION_BITS + UNIT_BITS + INDEX_BITS + DATA_BITS
SETTLED = 3  # cycles without a step after which there is none


class Dispatcher(wiring.Component):
    """Takes frames apart, one bit per cycle; `parser.Limits` has found them within the machine's.

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
        limits = memory_limits(machine).values()
        units, words = (max(limit[n] for limit in limits) for n in range(2))
        self.widths = (units - 1).bit_length(), (words - 1).bit_length(), words.bit_length()
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
        self.kind, self.left = Signal(8), Signal(8)  # of the frame; payload that is to come
        self.first = Signal(max(INPUT_FLAG_BITS, REGION_BITS))
        self.unit, self.index, self.count = (Signal(n) for n in self.widths)
        self.shift, self.byte = Signal(DATA_BITS), Signal(8)
        self.bits, self.filled, self.wait = Signal(4), Signal(6), Signal(range(SETTLED + 1))
        self.fields, self.width, self.putting, self.put = Signal(3), Signal(6), Signal(), Signal()
        self.link = self.first[:REGION_BITS] == LINK_REGION
        self._tables(m)
        self._ports(m)
        m.d.sync += self.wait.eq(0)
        with m.FSM():
            with m.State("LENGTH"):
                self._take(
                    m, [self.left.eq(self.i.payload), self.bits.eq(0), self.filled.eq(0)], "KIND"
                )
            with m.State("KIND"):
                self._take(m, [self.kind.eq(self.i.payload)], "TABLES")
            with m.State("TABLES"):  # they are a cycle late
                m.next = "HEAD"
            self._head(m)
            with m.State("REST"):
                with m.If(self.resting):
                    m.d.sync += self.wait.eq(self.wait + 1)
                    with m.If(self.wait == SETTLED):
                        m.next = "BODY"
                        with m.If(self.kind == Kind.READ):
                            m.next = "ASK"
            self._body(m)
            self._read(m)
        return m

    def _take(self, m: Module, keeps: list[Any], state: str) -> None:
        """A byte, and the state that follows."""
        m.d.comb += self.i.ready.eq(1)
        with m.If(self.i.valid):
            m.d.sync += keeps
            m.next = state

    def _head(self, m: Module) -> None:
        """The fields; of numbers those bits that a frame within the machine's limits can have."""
        place, byte = Signal(3), self.i.payload
        parts = [
            (self.first, 0),
            (self.unit, 0),
            *((n, k) for n in (self.index, self.count) for k in (0, 8)),
        ]
        with m.State("HEAD"):
            with m.If(place == self.fields):
                m.d.sync += place.eq(0)
                m.next = "BODY"
                with m.If((self.kind == Kind.READ) | (self.kind == Kind.WRITE)):
                    m.next = "REST"
            with m.Else():
                self._take(m, [place.eq(place + 1), self.left.eq(self.left - 1)], "HEAD")
                for k, (number, low) in enumerate(parts):
                    with m.If(self.i.valid & (place == k)):
                        m.d.sync += number[low : low + 8].eq(byte)

    def _body(self, m: Module) -> None:
        """Bytes, their bits, and what is made of so many bits."""
        with m.State("BODY"):
            with m.If(self.left == 0):
                m.next = "LENGTH"
            with m.Else():
                keeps = [self.byte.eq(self.i.payload), self.bits.eq(8), self.left.eq(self.left - 1)]
                self._take(m, keeps, "BITS")
        with m.State("BITS"):
            m.d.sync += [
                *(self.shift.eq(Cat(self.shift[1:], self.byte[0])), self.byte.eq(self.byte[1:])),
                *(self.bits.eq(self.bits - 1), self.filled.eq(self.filled + 1)),
            ]
            with m.If(self.filled + 1 == self.width):
                m.d.sync += self.filled.eq(0)
                m.next = "PUT"
            with m.Elif(self.bits == 1):
                m.next = "BODY"
        with m.State("PUT"):
            m.d.comb += self.putting.eq(1)
            with m.If(self.put):
                m.d.sync += self.index.eq(self.index + 1)
                m.next = "BODY"
                with m.If(self.bits != 0):
                    m.next = "BITS"

    def _read(self, m: Module) -> None:
        """Words that the host asked for, one after the other."""
        link = self.link
        with m.State("ASK"):
            m.d.comb += self.access.valid.eq(~link)
            m.d.sync += self.wait.eq(self.wait + 1)
            with m.If(Mux(link, self.wait == SETTLED, self.access.ready)):
                m.next = "ANSWER"
        with m.State("ANSWER"):
            m.d.comb += [
                self.o.valid.eq(link | self.answer.valid),
                self.answer.ready.eq(self.o.ready & ~link),
            ]
            with m.If(self.o.valid & self.o.ready):
                m.d.sync += [self.index.eq(self.index + 1), self.count.eq(self.count - 1)]
                m.next = "ASK"
                with m.If(self.count == 1):
                    m.next = "LENGTH"

    def _tables(self, m: Module) -> None:
        """What the kind says about its payload."""
        m.d.sync += [self.fields.eq(0), self.width.eq(0)]
        with m.Switch(self.kind):
            for kind, frame in FRAMES.items():
                if kind.sequenced:
                    with m.Case(kind):
                        m.d.sync += [
                            self.fields.eq(frame.head),
                            self.width.eq(frame.width(self.word)),
                        ]

    def _ports(self, m: Module) -> None:
        """A word of each width stands at the top of the shift register."""
        word, kind, region, link = self.word, self.kind, self.first[:REGION_BITS], self.link
        narrow, wide = self.shift[-word:], self.shift[-word - INPUT_FLAG_BITS :]
        own, fingerprints = Signal(DATA_BITS), self.index == LinkRegister.FINGERPRINT
        m.d.comb += [
            self.counter.eq(self.index),
            own.eq(Mux(fingerprints, self.fingerprint, self.counted)),
        ]
        fingerprint = Signal(32, reset_less=True)  # memories keep their words in a reset too
        m.d.comb += self.fingerprint.eq(fingerprint)
        unit, index = Signal(UNIT_BITS), Signal(INDEX_BITS)
        flagged = Cat(narrow, self.first[:INPUT_FLAG_BITS])
        m.d.comb += [
            *(unit.eq(self.unit), index.eq(self.index)),
            self.x.payload.eq(Mux(kind == Kind.X, flagged, wide)),
            self.y.payload.eq(narrow),
            self.access.payload.eq(Cat(kind == Kind.WRITE, region, unit, index, self.shift)),
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
                    with m.If(link & fingerprints):
                        m.d.sync += fingerprint.eq(self.shift)
                    with m.If(~link & ((region == Region.PROGRAM) | (region == Region.PHI))):
                        m.d.sync += fingerprint.eq(0)
