# SPDX-License-Identifier: Apache-2.0
"""A tiny component with the ports of a core: it doubles its inputs and has one memory.

For testing the simulator's clock loop without a core. A step is one input word; a word whose
TARGET_VALID flag is set waits for a target, which is added; with TARGET_HELD the last one is added.
An input of 99 is never answered.
"""

from typing import Any

from amaranth.hdl import Module, Mux, ResetInserter, Signal, signed
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out, connect

from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS, Flag
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS

WORD = 18
DEPTH = 64


class EchoCore(wiring.Component):
    """out = 2 x (+ y), flags passed through; memory words `DEPTH`, any region and unit."""

    x: Any
    y: Any
    out: Any
    access: Any
    answer: Any
    busy: Any

    def __init__(self) -> None:
        super().__init__(
            {
                "x": In(stream.Signature(WORD + INPUT_FLAG_BITS)),
                "y": In(stream.Signature(WORD)),
                "out": Out(stream.Signature(WORD + FLAG_BITS)),
                "access": In(stream.Signature(1 + 4 + UNIT_BITS + INDEX_BITS + DATA_BITS)),
                "answer": Out(stream.Signature(DATA_BITS)),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = memory.Memory(shape=DATA_BITS, depth=DEPTH, init=[])
        write, read = words.write_port(), words.read_port()
        request = self.access.payload
        index = request[5 + UNIT_BITS :][:INDEX_BITS]
        m.d.comb += [write.addr.eq(index), read.addr.eq(index)]
        m.d.comb += write.data.eq(request[5 + UNIT_BITS + INDEX_BITS :])
        m.d.comb += self.answer.payload.eq(read.data)

        word = self.x.payload[:WORD].as_signed()
        last = Signal(signed(WORD))  # target
        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.access.valid):
                    m.d.comb += [self.access.ready.eq(1), write.en.eq(request[0])]
                    with m.If(~request[0]):
                        m.next = "ANSWER"
                with m.Elif(self.x.valid):
                    m.next = "STEP"
            with m.State("ANSWER"):
                m.d.comb += [self.answer.valid.eq(1), read.en.eq(0)]
                with m.If(self.answer.ready):
                    m.next = "IDLE"
            with m.State("STEP"):
                own = self.x.payload[WORD:]
                targeted, held = (own & f != 0 for f in (Flag.TARGET_VALID, Flag.TARGET_HELD))
                needs = targeted & ~held
                target = Mux(needs, self.y.payload.as_signed(), last)
                hangs = word == 99
                m.d.comb += self.busy.eq(1)
                m.d.comb += self.x.ready.eq((~needs | self.y.valid) & ~hangs)
                m.d.comb += self.y.ready.eq(needs & self.x.valid & ~hangs)
                with m.If(self.x.valid & self.x.ready):
                    m.d.sync += last.eq(Mux(needs, target, last))
                    total = Mux(targeted, target, 0) + 2 * word
                    m.d.sync += self.out.payload.eq(total[:WORD])
                    m.d.sync += self.out.payload[WORD:].eq(own[:FLAG_BITS])
                    m.next = "OUT"
            with m.State("OUT"):
                m.d.comb += [self.busy.eq(1), self.out.valid.eq(1)]
                with m.If(self.out.ready):
                    m.next = "IDLE"
        return m


def echoing(m: Module, link: Any) -> None:
    """Put an `EchoCore` behind a link, as `Top` puts a core there."""
    core = EchoCore()
    m.submodules.core = ResetInserter(link.restart)(core)
    connect(m, link.x, core.x)
    connect(m, link.y, core.y)
    connect(m, link.access, core.access)
    connect(m, core.out, link.out)
    connect(m, core.answer, link.answer)
    m.d.comb += link.busy.eq(core.busy)
