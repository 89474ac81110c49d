# SPDX-License-Identifier: Apache-2.0
"""The outbox: words for the host, packed into frames of a ring, one bit per cycle."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.flags import FLAG_BITS
from antevolt.hdl.spec.link import PAYLOAD_BYTES, Kind
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS

__all__ = ["Outbox"]

FULL = PAYLOAD_BYTES - 5  # bytes after which no word of 36 bits is begun
QUIET = 64  # cycles without a word after which a frame is sent as it is, when the line is free


class Outbox(wiring.Component):
    """Outputs come first, then answers, then echoes: an answer follows all outputs before it.

    Members
    -------
    out, answer, echo : words
    push, byte, kind, length, commit, room : of the ring
    free : the line has nothing to send
    """

    out: Any
    answer: Any
    echo: Any
    push: Any
    byte: Any
    kind: Any
    length: Any
    commit: Any
    room: Any
    free: Any

    def __init__(self, machine: Machine):
        self.word = machine.formats.word
        super().__init__(
            {
                "out": In(stream.Signature(self.word + FLAG_BITS)),
                "answer": In(stream.Signature(DATA_BITS)),
                "echo": In(stream.Signature(8)),
                "push": Out(1),
                "byte": Out(8),
                "kind": Out(8),
                "length": Out(8),
                "commit": Out(1),
                "room": In(1),
                "free": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, code, size = Signal(DATA_BITS), Signal(DATA_BITS), Signal(6)
        left, filled, flags, timer = Signal(6), Signal(3), Signal(FLAG_BITS), Signal(range(QUIET))
        comes, take, opened = Signal(8), Signal(), Signal()
        own = self.out.payload[self.word :]
        with m.If(self.out.valid):
            same = own == flags
            value = self.out.payload[: self.word]
            m.d.comb += [
                *(comes.eq(Kind.OUT), self.out.ready.eq(take)),
                code.eq(Mux(same, Cat(Const(0, 1), value), Cat(Const(1, 1), own, value))),
                size.eq(Mux(same, self.word + 1, self.word + 1 + FLAG_BITS)),
            ]
        with m.Elif(self.answer.valid):
            m.d.comb += [comes.eq(Kind.ANSWER), self.answer.ready.eq(take)]
            m.d.comb += [code.eq(self.answer.payload), size.eq(DATA_BITS)]
        with m.Elif(self.echo.valid):
            m.d.comb += [comes.eq(Kind.ECHOED), self.echo.ready.eq(take)]
            m.d.comb += [code.eq(self.echo.payload), size.eq(8)]
        fits = Signal()
        m.d.comb += fits.eq(self.room & (~opened | (self.kind == comes) & (self.length <= FULL)))
        m.d.sync += self.push.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += timer.eq(timer - (timer != 0))
                with m.If(comes.any() & fits):
                    m.d.comb += take.eq(1)
                    m.d.sync += [word.eq(code), left.eq(size), timer.eq(QUIET - 1)]
                    m.d.sync += [self.kind.eq(comes), opened.eq(1)]
                    with m.If(comes == Kind.OUT):
                        m.d.sync += flags.eq(own)
                    m.next = "BITS"
                with m.Elif(opened & (comes.any() | (timer == 0) & self.free)):
                    m.next = "FILL"
            with m.State("BITS"):
                self._bit(m, word, filled)
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    m.next = "REST"
            with m.State("REST"):  # the ring looks at what was pushed
                m.next = "SEEN"
            with m.State("SEEN"):
                m.next = "IDLE"
            with m.State("FILL"):
                m.next = "COMMIT"
                with m.If(filled != 0):
                    self._bit(m, Const(0, DATA_BITS), filled)
                    m.next = "FILL"
            with m.State("COMMIT"):  # the last byte may be on its way
                m.next = "SEND"
            with m.State("SEND"):
                m.d.comb += self.commit.eq(1)
                m.d.sync += [opened.eq(0), flags.eq(0), left.eq(5)]
                m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += [left.eq(left - 1), self.length.eq(0)]
                with m.If(left == 0):
                    m.next = "IDLE"
        return m

    def _bit(self, m: Module, word: Any, filled: Signal) -> None:
        """The next bit into the byte; a full one into the ring."""
        m.d.sync += [self.byte.eq(Cat(self.byte[1:], word[0])), filled.eq(filled + 1)]
        m.d.sync += self.push.eq(filled == 7)
        if isinstance(word, Signal):
            m.d.sync += word.eq(word[1:])
        with m.If(filled == 7):
            m.d.sync += self.length.eq(self.length + 1)
