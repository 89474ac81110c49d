# SPDX-License-Identifier: Apache-2.0
"""Replies: what the board says beside its data, one of each kind at most."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.ring import POINTER_BITS
from antevolt.hdl.spec.link import GAP_BITS, Kind, LinkParameters

__all__ = ["FIELD_BYTES", "Replies"]

FIELD_BYTES = 6
REPLIES = ("hello", "reset", "baud", "error", "acknowledge")  # the most urgent first


class Replies(wiring.Component):
    """Remembers what is to be said, and offers the most urgent one.

    Members
    -------
    hello, baud, reset : answer a question with this `nonce`;  error : with `code` and `about`
    missing, until : of the gap behind which frames are kept, as they are now; fields of an error
    acknowledge : a frame came, or the host wants to know
    divisor : of `baud`
    fingerprint, session, expected, consumed, upcoming : as they are now, for the fields
    valid, kind, sequence, fields, size : a reply of `size` bytes of fields; `text`: the description
        comes first;  taken : it is on its way; what it says was true in that cycle
    restart : the buffers are empty;  clear : forget all but what comes in the same cycle
    """

    hello: Any
    baud: Any
    reset: Any
    error: Any
    acknowledge: Any
    nonce: Any
    divisor: Any
    code: Any
    about: Any
    missing: Any
    until: Any
    fingerprint: Any
    session: Any
    expected: Any
    consumed: Any
    upcoming: Any
    restart: Any
    clear: Any
    valid: Any
    kind: Any
    sequence: Any
    fields: Any
    size: Any
    text: Any
    taken: Any

    def __init__(self, link: LinkParameters):
        self.link = link
        pointer = ("nonce", "divisor", "session", "expected", "consumed", "upcoming")
        super().__init__(
            {
                **{n: In(1) for n in (*REPLIES, "restart", "clear")},
                **{name: In(POINTER_BITS) for name in pointer},
                "code": In(4),
                "about": In(8),
                "missing": In(GAP_BITS),
                "until": In(GAP_BITS),
                "fingerprint": In(32),
                "valid": Out(1),
                "kind": Out(8),
                "sequence": Out(POINTER_BITS),
                "fields": Out(8 * FIELD_BYTES),
                "size": Out(3),
                "text": Out(1),
                "taken": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wanted = {name: Signal(name=f"wants_{name}") for name in REPLIES}
        nonce, divisor, code, about = Signal(16), Signal(16), Signal(4), Signal(8)
        told = Signal(POINTER_BITS)
        news, late = Signal(), Signal()  # much of the receive buffer is free again; `told` is new
        m.d.sync += late.eq(self.taken)
        m.d.sync += news.eq((self.consumed - told)[:16] >= self.link.receive_bytes // 4)
        m.d.comb += [self.valid.eq(Cat(wanted.values()).any()), self.sequence.eq(nonce)]
        with m.If(self.clear):
            m.d.sync += [w.eq(0) for w in wanted.values()]
        with m.If(wanted["hello"]):
            m.d.comb += [self.kind.eq(Kind.HELLO), self.text.eq(1), self.size.eq(6)]
            m.d.comb += self.fields.eq(Cat(self.fingerprint, self.session))
        with m.Elif(wanted["reset"]):
            m.d.comb += self.kind.eq(Kind.RESET)
        with m.Elif(wanted["baud"]):
            m.d.comb += [self.kind.eq(Kind.BAUD), self.size.eq(2), self.fields.eq(divisor)]
        with m.Elif(wanted["error"]):
            m.d.comb += [self.kind.eq(Kind.ERROR), self.size.eq(4), self.sequence.eq(self.expected)]
            m.d.comb += self.fields.eq(Cat(code, Const(0, 4), about, self.missing, self.until))
        with m.Else():
            m.d.comb += [self.kind.eq(Kind.ACK), self.size.eq(4), self.sequence.eq(self.expected)]
            m.d.comb += self.fields.eq(Cat(self.consumed, self.upcoming))
        chosen: Any = self.taken & ~self.clear
        for name in REPLIES:
            with m.If(chosen & wanted[name]):
                m.d.sync += wanted[name].eq(0)
                if name == "acknowledge":
                    m.d.sync += told.eq(self.consumed)
            chosen = chosen & ~wanted[name]
        for name in REPLIES:
            with m.If(getattr(self, name)):
                m.d.sync += wanted[name].eq(1)
        with m.If(news & ~self.clear & ~self.taken & ~late):
            m.d.sync += wanted["acknowledge"].eq(1)
        with m.If(self.hello | self.baud | self.reset):
            m.d.sync += nonce.eq(self.nonce)
        with m.If(self.restart):  # the buffer counts from 0
            m.d.sync += told.eq(0)
        with m.If(self.baud):
            m.d.sync += divisor.eq(self.divisor)
        with m.If(self.error):
            m.d.sync += [code.eq(self.code), about.eq(self.about)]
        return m
