# SPDX-License-Identifier: Apache-2.0
"""The link: a serial line on one side, the core's ports on the other (`docs/protocol.md`)."""

from typing import Any

from amaranth.hdl import Module, Mux, ResetInserter, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out, connect, flipped

from antevolt.hdl.io.cobs import CobsEncoder
from antevolt.hdl.io.dispatcher import ACCESS_BITS, Dispatcher
from antevolt.hdl.io.outbox import Outbox
from antevolt.hdl.io.parser import Parser
from antevolt.hdl.io.rate import Rate
from antevolt.hdl.io.reader import Reader
from antevolt.hdl.io.replies import Replies
from antevolt.hdl.io.ring import POINTER_BITS, Ring
from antevolt.hdl.io.sender import Sender
from antevolt.hdl.io.splice import Splice
from antevolt.hdl.io.tally import Tally
from antevolt.hdl.io.uart import UartReceiver, UartTransmitter
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS
from antevolt.hdl.spec.link import (
    ENTRY_BYTES,
    RESEND_PLACE,
    AckFlag,
    Code,
    Kind,
    LinkParameters,
    describe,
)
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS

__all__ = ["Link"]


class Link(wiring.Component):
    """Parser -> ring -> dispatcher -> core -> outbox -> ring -> sender.

    Members
    -------
    rx, tx : the line
    x, y, out, access, answer, busy : the core's ports, seen from the other side
    restart : the core's reset

    `ends`: what receives and sends bytes; a simulation of bytes without bits has others.
    """

    ends: tuple[type[Any], type[Any]] = (UartReceiver, UartTransmitter)
    rx: Any
    tx: Any
    x: Any
    y: Any
    out: Any
    access: Any
    answer: Any
    busy: Any
    restart: Any

    def __init__(self, machine: Machine, link: LinkParameters):
        self.machine, self.parameters = machine, link
        word = machine.formats.word
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "x": Out(stream.Signature(word + INPUT_FLAG_BITS)),
                "y": Out(stream.Signature(word)),
                "out": In(stream.Signature(word + FLAG_BITS)),
                "access": Out(stream.Signature(ACCESS_BITS)),
                "answer": In(stream.Signature(DATA_BITS)),
                "busy": In(1),
                "restart": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        machine, link = self.machine, self.parameters
        m.submodules.receiver = self.receiver = self.ends[0]()
        m.submodules.transmitter = self.transmitter = self.ends[1]()
        m.submodules.parser = self.parser = Parser(machine, link)
        m.submodules.rate = self.rate = Rate(link)
        m.submodules.replies = self.replies = Replies(link)
        reset = ResetInserter(self.restart)
        self.inbox, self.outgoing = Ring(link.receive_bytes), Ring(link.send_bytes)
        self.reader, self.tally, self.encoder = Reader(), Tally(), CobsEncoder()
        self.dispatcher, self.outbox = Dispatcher(machine), Outbox(machine)
        frames = link.send_bytes // ENTRY_BYTES
        self.sender = Sender(describe(machine, link), frames, link.selective)
        width = machine.formats.word + INPUT_FLAG_BITS
        self.inputs = SyncFIFOBuffered(width=width, depth=link.x_words)
        for name in ("inbox", "outgoing", "reader", "tally", "encoder"):
            m.submodules[name] = reset(getattr(self, name))
        for name in ("dispatcher", "outbox", "sender", "inputs"):
            m.submodules[name] = reset(getattr(self, name))
        self.base = self.reader.address  # of the inbox
        if link.selective:
            self.splice = Splice()
            m.submodules.splice, self.base = reset(self.splice), self.splice.base
        self._line(m)
        self._events(m)
        self._inward(m)
        self._outward(m)
        return m

    def _line(self, m: Module) -> None:
        receiver, transmitter, rate, parser = (
            self.receiver, self.transmitter, self.rate, self.parser,
        )  # fmt: skip
        connect(m, self.encoder.o, transmitter.i)
        m.d.comb += [
            *(receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx)),
            *(receiver.divisor.eq(rate.divisor), transmitter.divisor.eq(rate.divisor)),
            *(parser.byte.eq(receiver.byte), parser.strobe.eq(receiver.strobe)),
            parser.broken.eq(receiver.broken),
        ]

    def _events(self, m: Module) -> None:
        """What good and bad frames do at once."""
        parser, rate, replies, sender = self.parser, self.rate, self.replies, self.sender
        good, flags = parser.good, parser.head[:8]
        session, restart = Signal(POINTER_BITS), Signal()
        is_kind = {kind: good & (parser.kind == kind) for kind in Kind if not kind.sequenced}
        # one cycle, so that what is reset sees the reply; one that came again is only answered
        reset, fresh = is_kind[Kind.RESET], Signal()
        m.d.comb += fresh.eq(parser.sequence != session)
        m.d.sync += restart.eq(reset & fresh)
        answers = Signal()
        m.d.sync += answers.eq(reset)
        with m.If(reset):
            m.d.sync += session.eq(parser.sequence)
        hello, ack = is_kind[Kind.HELLO], is_kind[Kind.ACK]
        asks = ack & (flags & AckFlag.REQUEST).any()
        m.d.comb += [
            *(self.restart.eq(restart), parser.restart.eq(restart)),
            *(rate.heard.eq(good | parser.again), rate.opens.eq(hello | reset)),
            *(rate.change.eq(is_kind[Kind.BAUD]), rate.wanted.eq(parser.head)),
            *(replies.hello.eq(hello), replies.baud.eq(is_kind[Kind.BAUD])),
            *(replies.restart.eq(restart), replies.reset.eq(answers)),
            replies.nonce.eq(parser.sequence),
            replies.acknowledge.eq(parser.commit & ~parser.early | parser.again | asks),
            replies.error.eq(parser.bad | parser.early | sender.wrong),
            *(replies.missing.eq(parser.missing), replies.until.eq(parser.until)),
            replies.code.eq(Mux(sender.wrong, Code.ACKNOWLEDGED, parser.code)),
            *(replies.about.eq(parser.kind), replies.divisor.eq(parser.head)),
            *(replies.clear.eq(restart | rate.mute), replies.session.eq(session)),
            *(replies.fingerprint.eq(self.dispatcher.fingerprint), sender.session.eq(session)),
            *(sender.acknowledged.eq(ack), sender.up_to.eq(parser.sequence)),
            sender.resend.eq((flags & AckFlag.RESEND).any()),
            sender.count.eq(flags[RESEND_PLACE:]),
        ]
        m.d.sync += [
            self.tally.event.eq(Mux(sender.wrong, Code.ACKNOWLEDGED, parser.event)),
            self.tally.count.eq(parser.count | sender.wrong),
        ]

    def _inward(self, m: Module) -> None:
        parser, inbox, reader, dispatcher = self.parser, self.inbox, self.reader, self.dispatcher
        inputs = self.inputs
        connect(m, reader.o, dispatcher.i)
        connect(m, dispatcher.y, flipped(self.y))
        connect(m, dispatcher.access, flipped(self.access))
        connect(m, flipped(self.answer), dispatcher.answer)
        connect(m, dispatcher.x, inputs.w_stream)
        connect(m, inputs.r_stream, flipped(self.x))
        m.d.comb += [
            *(inbox.byte.eq(parser.payload), inbox.push.eq(parser.push)),
            *(inbox.kind.eq(parser.kind), inbox.length.eq(parser.length)),
            *(inbox.commit.eq(parser.commit), inbox.drop.eq(parser.drop)),
            *(parser.full.eq(inbox.full), inbox.base.eq(self.base)),
            *(inbox.address.eq(reader.address), reader.data.eq(inbox.data)),
            dispatcher.resting.eq(~self.busy & (inputs.level == 0)),
            *(self.tally.address.eq(dispatcher.counter), dispatcher.counted.eq(self.tally.data)),
        ]
        if not self.parameters.selective:
            m.d.comb += reader.end.eq(inbox.end)
            return
        splice = self.splice
        m.d.comb += [
            *(splice.end.eq(inbox.end), splice.address.eq(reader.address)),
            *(splice.opens.eq(parser.opens), splice.fills.eq(parser.fills)),
            *(splice.closes.eq(parser.closes), parser.free.eq(splice.free)),
            *(reader.end.eq(splice.limit), reader.target.eq(splice.target)),
            *(reader.may_turn.eq(splice.may_turn), splice.turns.eq(reader.turns)),
        ]

    def _outward(self, m: Module) -> None:
        outbox, outgoing, sender, replies = self.outbox, self.outgoing, self.sender, self.replies
        rate = self.rate
        connect(m, flipped(self.out), outbox.out)
        connect(m, self.dispatcher.o, outbox.answer)
        connect(m, self.dispatcher.echo, outbox.echo)
        connect(m, sender.o, self.encoder.i)
        for name in ("kind", "sequence", "fields", "size", "text"):
            m.d.comb += getattr(sender, name).eq(getattr(replies, name))
        m.d.comb += [
            *(outgoing.byte.eq(outbox.byte), outgoing.push.eq(outbox.push)),
            *(outgoing.kind.eq(outbox.kind), outgoing.length.eq(outbox.length)),
            *(outgoing.commit.eq(outbox.commit), outbox.room.eq(outgoing.room)),
            *(outgoing.base.eq(sender.base), outgoing.address.eq(sender.address)),
            *(sender.data.eq(outgoing.data), sender.end.eq(outgoing.end)),
            *(sender.valid.eq(replies.valid), replies.taken.eq(sender.taken)),
            *(sender.mute.eq(rate.mute), sender.hold.eq(rate.changing)),
            outbox.free.eq(sender.idle & self.encoder.idle),
            rate.drained.eq(sender.idle & self.encoder.idle & self.transmitter.idle),
            replies.expected.eq(self.parser.expected),
            *(replies.consumed.eq(self.base), replies.upcoming.eq(sender.upcoming)),
        ]
        made = Signal(4)  # the ring takes some cycles to commit
        m.d.sync += made.eq(made << 1 | outbox.commit)
        m.d.comb += sender.made.eq(made[-1])
