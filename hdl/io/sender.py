# SPDX-License-Identifier: Apache-2.0
"""The sender: replies and frames of the outgoing ring, one after the other, to the line."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.cobs import marked
from antevolt.hdl.io.crc import Crc
from antevolt.hdl.io.replies import FIELD_BYTES
from antevolt.hdl.io.ring import POINTER_BITS
from antevolt.hdl.spec.link import ACK_FLAGS, CRC_BYTES, ENTRY_BYTES, RESEND_PLACE

__all__ = ["Sender"]

RESEND_BITS = ACK_FLAGS - RESEND_PLACE


class Sender(wiring.Component):
    """A frame stays in the ring until the host has acknowledged it; a host that misses some asks
    for them, or for all frames from there on.

    Members
    -------
    valid, kind, sequence, fields, size, text, taken : the reply to send, see `replies`
    end, base, address, data : of the ring; data comes two cycles after its address
    made : a frame was committed, two cycles after a reset at the earliest
    session : sequence number of the first frame
    acknowledged : all frames before `up_to` arrived;  resend : send again from there, `count`
        frames and then on from where it was, or all (0, or not `selective`)
    wrong : that frame was never made, two cycles later
    upcoming : sequence number of the next frame that is made
    mute : start nothing;  hold : start replies only
    idle : between frames, and nothing to send
    o : bytes

    The ring holds `frames` at most; whatever is counted of them is counted back from `upcoming`.
    """

    valid: Any
    kind: Any
    sequence: Any
    fields: Any
    size: Any
    text: Any
    taken: Any
    end: Any
    base: Any
    address: Any
    data: Any
    made: Any
    session: Any
    acknowledged: Any
    up_to: Any
    resend: Any
    count: Any
    wrong: Any
    upcoming: Any
    mute: Any
    hold: Any
    idle: Any
    o: Any

    def __init__(
        self, description: bytes, frames: int = 1 << POINTER_BITS - 1, selective: bool = True
    ):
        self.description, self.count_bits = description, frames.bit_length()
        self.selective = selective
        pointer = POINTER_BITS
        super().__init__(
            {
                "valid": In(1),
                "kind": In(8),
                "sequence": In(pointer),
                "fields": In(8 * FIELD_BYTES),
                "size": In(3),
                "text": In(1),
                "taken": Out(1),
                "end": In(pointer),
                "base": Out(pointer),
                "address": Out(pointer),
                "data": In(8),
                "made": In(1),
                "session": In(pointer),
                "acknowledged": In(1),
                "up_to": In(pointer),
                "resend": In(1),
                "count": In(RESEND_BITS),
                "wrong": Out(1),
                "upcoming": Out(pointer),
                "mute": In(1),
                "hold": In(1),
                "idle": Out(1),
                "o": Out(stream.Signature(marked)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # frames not yet sent, still in the ring, not yet acknowledged; where the next to send is
        self.unsent, self.kept, self.pending = (
            Signal(self.count_bits, name=n) for n in ("unsent", "kept", "pending")
        )
        self.place, self.again = Signal(POINTER_BITS), Signal()
        self.goes_on, self.walked = Signal(), Signal()
        self.own, self.number = Signal(8), Signal(POINTER_BITS)
        self.words, self.left = Signal(8 * FIELD_BYTES), Signal(8)
        self.texts, self.rest, self.is_data = Signal(), Signal(3), Signal()
        # some frames are sent again: so many more, and where it then goes on
        self.some, self.few = Signal(), Signal(RESEND_BITS)
        self.later, self.behind = Signal(POINTER_BITS), Signal(self.count_bits)
        m.d.comb += self.address.eq(self.place)
        m.d.sync += [
            self.upcoming.eq(self.upcoming + self.made),
            self.unsent.eq(self.unsent + self.made - self.goes_on),
            self.kept.eq(self.kept + self.made - self.walked),
            self.behind.eq(self.behind + self.made),
            self.few.eq(self.few - self.goes_on),
        ]
        self._acknowledge(m)
        more = self.unsent != 0
        walks = self.kept != self.pending
        m.submodules.crc = self.crc = Crc()
        with m.FSM():
            with m.State("BEGUN"):  # after a reset
                m.d.sync += self.upcoming.eq(self.session)
                m.next = "IDLE"
            with m.State("IDLE"):
                m.d.comb += [
                    self.crc.start.eq(1),
                    self.idle.eq(~self.valid & ~(more & ~self.hold) & ~walks),
                ]
                m.d.sync += [self.own.eq(self.kind), self.number.eq(self.sequence)]
                m.d.sync += [self.words.eq(self.fields), self.rest.eq(self.size)]
                m.d.sync += [self.texts.eq(self.text), self.left.eq(0), self.is_data.eq(0)]
                with m.If(self.valid & ~self.mute):
                    m.d.comb += self.taken.eq(1)
                    m.next = "KIND"
                with m.Elif(self._returns()):
                    with m.If(~self.made):  # which counts first
                        m.d.sync += [self.place.eq(self.later), self.unsent.eq(self.behind)]
                        m.d.sync += self.some.eq(0)
                with m.Elif(walks):
                    m.d.comb += self.address.eq(self.base)
                    m.next = "STEP"
                with m.Elif(self.again):
                    with m.If(~self.made):
                        m.d.sync += [self.place.eq(self.base), self.unsent.eq(self.kept)]
                        m.d.sync += self.again.eq(0)
                        self._remember(m)
                with m.Elif(more & ~self.mute & ~self.hold):
                    m.next = "BEGIN"
            with m.State("STEP"):
                m.next = "WALK"
            with m.State("WALK"):
                base = self.base + self.data + ENTRY_BYTES
                m.d.comb += self.walked.eq(1)
                m.d.sync += self.base.eq(base)
                with m.If(self.kept == self.unsent):  # it need not be sent again
                    m.d.comb += self.goes_on.eq(1)
                    m.d.sync += self.place.eq(base)
                m.next = "IDLE"
            with m.State("BEGIN"):
                m.next = "LENGTH"
            with m.State("LENGTH"):
                m.d.sync += [self.left.eq(self.data), self.place.eq(self.place + 1)]
                m.next = "LOOK"
            with m.State("LOOK"):
                m.next = "TURN"
            with m.State("TURN"):
                m.d.sync += [self.rest.eq(0), self.texts.eq(0), self.is_data.eq(1)]
                m.next = "FOUND"
            with m.State("FOUND"):
                m.d.sync += [self.own.eq(self.data), self.place.eq(self.place + 1)]
                m.d.sync += self.number.eq(self.upcoming - self.unsent)
                m.next = "KIND"
            self._frame(m)
        return m

    def _acknowledge(self, m: Module) -> None:
        """How many frames are acknowledged, if that can be."""
        looks, up_to, resend = Signal(), Signal(POINTER_BITS), Signal()
        count, self.asked = Signal(RESEND_BITS), Signal(RESEND_BITS)
        m.d.sync += [self.pending.eq(self.pending + self.made), looks.eq(looks & self.made)]
        with m.If(self.acknowledged):
            m.d.sync += [looks.eq(1), up_to.eq(self.up_to), resend.eq(self.resend)]
            m.d.sync += count.eq(self.count)
        rest, possible = Signal(POINTER_BITS), Signal()
        m.d.comb += [rest.eq(self.upcoming - up_to), possible.eq(rest <= self.pending)]
        m.d.sync += self.wrong.eq(looks & ~self.made & ~possible)
        with m.If(looks & ~self.made & possible):
            m.d.sync += self.pending.eq(rest)
            with m.If(resend):
                m.d.sync += [self.again.eq(1), self.asked.eq(count)]

    def _returns(self) -> Any:
        """Those that were asked for have been sent, or all up to where it goes on."""
        return self.some & ((self.few == 0) | (self.unsent == self.behind))

    def _remember(self, m: Module) -> None:
        """Where to go on behind some frames; if it was among some before, it still is there."""
        if not self.selective:
            return
        m.d.sync += [self.some.eq(self.asked != 0), self.few.eq(self.asked)]
        with m.If(~self.some):
            m.d.sync += [self.later.eq(self.place), self.behind.eq(self.unsent)]

    def _frame(self, m: Module) -> None:
        """States that put out a frame, a byte when the CRC of the one before is done."""
        depth = len(self.description)
        m.submodules.text = text = Memory(shape=8, depth=depth, init=self.description)
        read, letter = text.read_port(), Signal(range(depth + 1))
        character = Signal(8)
        m.d.comb += read.addr.eq(letter)
        m.d.sync += character.eq(read.data)
        end, counts, next_byte = Signal(), Signal(init=1), Signal()
        byte = self.o.payload.byte
        m.d.comb += [
            self.o.payload.end.eq(end),
            self.crc.byte.eq(byte),
            self.crc.strobe.eq(next_byte & counts),
        ]

        def puts(value: Any) -> Any:
            m.d.comb += [self.o.valid.eq(~self.crc.busy), byte.eq(value)]
            m.d.comb += next_byte.eq(self.o.ready & ~self.crc.busy)
            return m.If(next_byte)

        with m.State("KIND"), puts(self.own):
            m.next = "LOW"
        with m.State("LOW"), puts(self.number[:8]):
            m.next = "HIGH"
        with m.State("HIGH"), puts(self.number[8:]):
            m.d.sync += letter.eq(0)
            m.next = "BODY"
        with m.State("BODY"):
            with m.If(self.texts):
                with puts(character):
                    m.d.sync += letter.eq(letter + 1)
                    with m.If(letter == depth - 1):
                        m.d.sync += self.texts.eq(0)
            with m.Elif(self.left != 0):
                with puts(self.data):
                    m.d.sync += [self.left.eq(self.left - 1), self.place.eq(self.place + 1)]
            with m.Elif(self.rest != 0):
                with puts(self.words[:8]):
                    m.d.sync += [self.words.eq(self.words >> 8), self.rest.eq(self.rest - 1)]
            with m.Elif(~self.crc.busy):
                m.d.sync += self.rest.eq(CRC_BYTES)
                m.next = "CRC"
        with m.State("CRC"):
            m.d.comb += counts.eq(0)
            with m.If(self.rest != 0):
                with puts(self.crc.crc.word_select((CRC_BYTES - self.rest)[:2], 8)):
                    m.d.sync += self.rest.eq(self.rest - 1)
            with m.Else():
                m.d.comb += end.eq(1)
                with puts(0):
                    m.d.comb += self.goes_on.eq(self.is_data)
                    m.next = "IDLE"
