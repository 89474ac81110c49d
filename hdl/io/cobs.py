# SPDX-License-Identifier: Apache-2.0
"""COBS: bytes without zeros, so that a zero ends a frame (Cheshire and Baker 1999)."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

__all__ = ["CobsDecoder", "CobsEncoder", "marked"]

FULL = 0xFF  # code of a block of 254 bytes that no zero follows
BUFFER = 512

marked = data.StructLayout({"byte": 8, "end": 1})
"""A byte of a frame, or its end (then the byte has no meaning)."""


class CobsDecoder(wiring.Component):
    """A byte in, one or none out, in the same cycle.

    Members
    -------
    i, strobe : bytes of the line;  broken : a byte that could not be read
    o, o_strobe : bytes of the frame
    end : of a frame that had at least one byte;  good : its codes are right, no byte was broken
    """

    i: Any
    strobe: Any
    broken: Any
    o: Any
    o_strobe: Any
    end: Any
    good: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(8),
                "strobe": In(1),
                "broken": In(1),
                "o": Out(8),
                "o_strobe": Out(1),
                "end": Out(1),
                "good": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        left, full, begun, bad = Signal(8), Signal(init=1), Signal(), Signal()
        code = left == 0
        m.d.comb += [
            *(self.o.eq(Mux(code, 0, self.i)), self.end.eq(self.strobe & (self.i == 0) & begun)),
            self.good.eq(code & ~bad),
        ]
        with m.If(self.broken):
            m.d.sync += [bad.eq(1), begun.eq(1)]
        with m.If(self.strobe):
            with m.If(self.i == 0):
                m.d.sync += [left.eq(0), full.eq(1), begun.eq(0), bad.eq(0)]
            with m.Else():
                m.d.sync += begun.eq(1)
                m.d.comb += self.o_strobe.eq(~code | ~full)  # a code stands for the zero before it
                m.d.sync += left.eq(Mux(code, self.i, left) - 1)
                with m.If(code):
                    m.d.sync += full.eq(self.i == FULL)
        return m


class CobsEncoder(wiring.Component):
    """Writes each block with its code into a buffer; the line reads finished blocks.

    Members
    -------
    i : bytes of a frame, then an end
    o : bytes of the line; a zero comes first after a reset, so that it ends what was cut off
    idle : nothing is left to send

    A byte takes 2 cycles, a code 1 more. A frame is at most 254 bytes long.
    """

    i: Any
    o: Any
    idle: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(marked)),
                "o": Out(stream.Signature(8)),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = (BUFFER - 1).bit_length()
        m.submodules.buffer = memory = Memory(shape=8, depth=BUFFER, init=[])
        write, read = memory.write_port(), memory.read_port()
        start, place, ready, out = (Signal(bits, name=n) for n in ("start", "at", "ready", "out"))
        code, room, fresh = Signal(8), Signal(), Signal()
        byte, end = Signal(8), Signal()
        m.d.sync += room.eq((out - place - 1)[:bits] > 4)
        m.d.comb += write.data.eq(byte)
        m.d.comb += write.addr.eq(place)
        with m.FSM():
            with m.State("DELIMITER"):
                m.d.comb += [write.en.eq(1), write.data.eq(0)]
                m.d.sync += [place.eq(place + 1), ready.eq(place + 1)]
                m.next = "BEGIN"
            with m.State("BEGIN"):  # leave a place for the code
                m.d.sync += [start.eq(place), place.eq(place + 1), code.eq(1)]
                m.next = "BYTE"
            with m.State("BYTE"):
                m.d.comb += self.i.ready.eq(room)
                m.d.sync += [byte.eq(self.i.payload.byte), end.eq(self.i.payload.end)]
                with m.If(self.i.valid & room):
                    m.next = "PUT"
            with m.State("PUT"):
                m.d.comb += write.en.eq(1)
                m.next = "BYTE"
                with m.If(end | (byte == 0)):
                    m.d.comb += [write.addr.eq(start), write.data.eq(code)]
                    m.d.sync += ready.eq(place)
                    m.next = "BEGIN"
                    with m.If(end):
                        m.next = "DELIMITER"
                with m.Else():
                    m.d.sync += [place.eq(place + 1), code.eq(code + 1)]
        m.d.comb += [read.addr.eq(out), self.o.payload.eq(read.data)]
        m.d.comb += [self.o.valid.eq(fresh), self.idle.eq(out == ready)]
        m.d.sync += fresh.eq((out != ready) & ~fresh)  # a byte stands one cycle after its address
        with m.If(fresh):
            m.d.sync += fresh.eq(1)
            with m.If(self.o.ready):
                m.d.sync += [out.eq(out + 1), fresh.eq(0)]
        return m
