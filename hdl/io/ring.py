# SPDX-License-Identifier: Apache-2.0
"""A ring of frames: bytes are written ahead, and count when their frame is found good."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.link import ENTRY_BYTES

__all__ = ["POINTER_BITS", "Ring"]

POINTER_BITS = 16  # count bytes since the reset, modulo 2^16


class Ring(wiring.Component):
    """Frames as length, kind and payload.

    Members
    -------
    byte, push : the next byte of the payload; 4 cycles apart at least
    kind, length, commit : the frame is whole: keep `length` bytes of it (2 cycles);
    drop : forget what was pushed
    full : a byte found no place, until `commit` or `drop`; or a frame's head would find none (this
        2 cycles after `base` moved, 6 after `commit`)
    room : 8 more bytes and a frame's head have a place
    end : where the next frame will stand
    base : of the oldest byte that is still wanted
    address, data : reads, two cycles later: of a block RAM, and of a register behind it
    """

    byte: Any
    push: Any
    kind: Any
    length: Any
    commit: Any
    drop: Any
    full: Any
    room: Any
    end: Any
    base: Any
    address: Any
    data: Any

    def __init__(self, depth: int):
        self.depth = depth
        super().__init__(
            {
                "byte": In(8),
                "push": In(1),
                "kind": In(8),
                "length": In(8),
                "commit": In(1),
                "drop": In(1),
                "full": Out(1),
                "room": Out(1),
                "end": Out(POINTER_BITS),
                "base": In(POINTER_BITS),
                "address": In(POINTER_BITS),
                "data": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=8, depth=self.depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        low = len(read.addr)
        own = 1 + low  # bits that tell a full ring from an empty one
        place, used = Signal(own, init=ENTRY_BYTES), Signal(own)
        m.d.comb += read.addr.eq(self.address[:low])
        m.d.sync += [self.data.eq(read.data), used.eq(place - self.base)]
        m.d.sync += self.room.eq(used <= self.depth - 8 - ENTRY_BYTES)
        lost, over = Signal(), Signal()
        m.d.comb += self.full.eq(lost | over)
        m.d.sync += over.eq(used > self.depth)
        length, kind = Signal(8), Signal(8)
        m.d.comb += [write.addr.eq(place[:low]), write.data.eq(self.byte)]
        with m.FSM():
            with m.State("PUSH"):
                with m.If(self.push):
                    with m.If(used >= self.depth):
                        m.d.sync += lost.eq(1)
                    with m.Elif(~lost):
                        m.d.comb += write.en.eq(1)
                        m.d.sync += place.eq(place + 1)
                with m.If(self.commit):
                    m.d.sync += [length.eq(self.length), kind.eq(self.kind), lost.eq(0)]
                    m.next = "LENGTH"
                with m.Elif(self.drop):
                    m.d.sync += [place.eq(self.end + ENTRY_BYTES), lost.eq(0)]
            with m.State("LENGTH"):
                m.d.comb += [write.en.eq(1), write.data.eq(length)]
                m.d.comb += write.addr.eq(self.end[:low])
                m.next = "KIND"
            with m.State("KIND"):
                m.d.comb += [write.en.eq(1), write.data.eq(kind)]
                m.d.comb += write.addr.eq((self.end + 1)[:low])
                m.d.sync += self.end.eq(self.end + length + ENTRY_BYTES)
                m.next = "NEXT"
            with m.State("NEXT"):
                m.d.sync += place.eq(self.end + ENTRY_BYTES)
                m.next = "PUSH"
        return m
