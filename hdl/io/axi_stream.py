# SPDX-License-Identifier: Apache-2.0
"""The core's data streams as AXI4-Stream: TDATA 32 bits, TUSER the flags, TLAST the flag LAST."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from antevolt.hdl.io.axi_slice import AxiSlice
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS, Flag

__all__ = ["DATA", "AxiIn", "AxiOut"]

DATA = 32  # bits of TDATA; words stand in the low ones
LAST = int(Flag.LAST).bit_length() - 1
"""The flag's place."""


class AxiIn(wiring.Component):
    """AXI4-Stream to the core: words of `word` bits and, with `flags`, flags above them.

    Members
    -------
    tdata, tvalid, tready : of the bus; TDATA's bits above the word are not looked at
    tuser, tlast : flags, and once more the flag LAST; both count with a stream's first word
    o : to the core, a cycle later
    """

    tdata: Any
    tvalid: Any
    tready: Any
    tuser: Any
    tlast: Any
    o: Any

    def __init__(self, word: int, flags: bool):
        self.word, self.flags = word, flags
        members = {"tdata": In(DATA), "tvalid": In(1), "tready": Out(1)}
        if flags:
            members |= {"tuser": In(INPUT_FLAG_BITS), "tlast": In(1)}
        self.width = word + INPUT_FLAG_BITS * flags
        super().__init__({**members, "o": Out(stream.Signature(self.width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.slice = inner = AxiSlice(self.width)
        payload = self.tdata[: self.word]
        if self.flags:
            payload = Cat(payload, self.tuser | self.tlast << LAST)
        m.d.comb += [
            *(inner.i.payload.eq(payload), inner.i.valid.eq(self.tvalid)),
            self.tready.eq(inner.i.ready),
        ]
        connect(m, inner.o, flipped(self.o))
        return m


class AxiOut(wiring.Component):
    """The core's outputs to AXI4-Stream.

    Members
    -------
    i : from the core
    packet : words per packet; 0: a packet ends with a word whose flag LAST is set
    restart : the next word is the first of its packet
    tdata, tvalid, tready : of the bus, a cycle later; the word with its sign
    tuser, tlast : flags; the last word of a packet
    """

    i: Any
    packet: Any
    restart: Any
    tdata: Any
    tvalid: Any
    tready: Any
    tuser: Any
    tlast: Any

    def __init__(self, word: int):
        self.word = word
        super().__init__(
            {
                "i": In(stream.Signature(word + FLAG_BITS)),
                "packet": In(32),
                "restart": In(1),
                **{"tdata": Out(DATA), "tvalid": Out(1), "tready": In(1)},
                **{"tuser": Out(FLAG_BITS), "tlast": Out(1)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.slice = inner = AxiSlice(self.word + FLAG_BITS + 1)
        left, counted, last = Signal(32), Signal(), Signal()  # words to come of this packet
        m.d.comb += [
            last.eq(Mux(counted, left == 1, self.i.payload[self.word + LAST])),
            *(inner.i.payload.eq(Cat(self.i.payload, last)), inner.i.valid.eq(self.i.valid)),
            self.i.ready.eq(inner.i.ready),
            self.tdata.eq(inner.o.payload[: self.word].as_signed()),
            *(self.tuser.eq(inner.o.payload[self.word :]), self.tlast.eq(inner.o.payload[-1])),
            *(self.tvalid.eq(inner.o.valid), inner.o.ready.eq(self.tready)),
        ]
        with m.If(self.restart | self.i.valid & inner.i.ready & last):
            m.d.sync += [left.eq(self.packet), counted.eq(self.packet.any())]
        with m.Elif(self.i.valid & inner.i.ready):
            m.d.sync += left.eq(left - 1)
        return m
