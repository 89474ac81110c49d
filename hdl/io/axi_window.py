# SPDX-License-Identifier: Apache-2.0
"""The registers of the IP core, among them a window on the core's access port."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.axi_map import ADDRESS_BITS, AXI_REGISTERS, PATIENCE, AxiRegister
from antevolt.hdl.spec.description import KIND
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS

__all__ = ["AxiWindow"]

DATA = 32
REGION_BITS = 4


class AxiWindow(wiring.Component):
    """`spec.axi_map`: what its registers are.

    Members
    -------
    active, write, address, data, done, error, reply : one register access (`io.axi_lite`)
    access, answer : to the core's ports of these names
    busy : a step runs;  offered : an input, a target, an output waits (`Status`, from INPUT on)
    packet : the register;  restart : it was written
    reset : of the core, for a cycle

    An access of a memory is offered to the core in cycles in which no step runs, which keeps the
    next one from starting: so it is taken in a bounded time or not offered at all.
    """

    active: Any
    write: Any
    address: Any
    data: Any
    done: Any
    error: Any
    reply: Any
    access: Any
    answer: Any
    busy: Any
    offered: Any
    packet: Any
    restart: Any
    reset: Any

    def __init__(self) -> None:
        request = 1 + REGION_BITS + UNIT_BITS + INDEX_BITS + DATA_BITS
        super().__init__(
            {
                **{"active": In(1), "write": In(1), "address": In(ADDRESS_BITS)},
                **{"data": In(DATA), "done": Out(1), "error": Out(1), "reply": Out(DATA)},
                "access": Out(stream.Signature(request)),
                "answer": In(stream.Signature(DATA_BITS)),
                **{"busy": In(1), "offered": In(3)},
                **{"packet": Out(32), "restart": Out(1), "reset": Out(1)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        index, place = Signal(INDEX_BITS), Signal(UNIT_BITS + REGION_BITS)
        high, waited = Signal(DATA_BITS - DATA), Signal(32)
        patience, refused = Signal(32, init=PATIENCE), Signal(32)
        words: dict[AxiRegister, Any] = {
            AxiRegister.KIND: Const(KIND, DATA),
            AxiRegister.STATUS: Cat(self.busy, self.offered),
            AxiRegister.ADDRESS: Cat(index, place),
            AxiRegister.DATA_HIGH: high,
            AxiRegister.PATIENCE: patience,
            AxiRegister.REFUSED: refused,
            AxiRegister.PACKET: self.packet,
            AxiRegister.RESET: Const(0, 1),
        }
        unit, region = place[:UNIT_BITS], place[UNIT_BITS:]
        request = Cat(self.write, region, unit, index, self.data, high)
        m.d.comb += self.access.payload.eq(request)
        m.d.sync += [self.restart.eq(0), self.reset.eq(0), self.error.eq(0)]
        with m.FSM():
            with m.State("REST"):
                m.d.sync += waited.eq(0)
                with m.If(self.active):
                    m.next = "DONE"
                    with m.Switch(self.address[2:]):
                        for number, word in words.items():
                            with m.Case(int(number) >> 2):
                                m.d.sync += self.reply.eq(word)
                                with m.If(self.write):
                                    m.d.sync += self._written(number, word)
                        with m.Case(int(AxiRegister.DATA) >> 2):
                            m.next = "ACCESS"
                        with m.Default():
                            m.d.sync += self.error.eq(1)
            with m.State("ACCESS"):
                m.d.sync += waited.eq(waited + 1)
                m.d.comb += self.access.valid.eq(~self.busy)
                with m.If(~self.busy & self.access.ready):
                    m.next = "DONE"
                    m.d.sync += index.eq(index + 1)
                    with m.If(~self.write):
                        m.next = "ANSWER"
                with m.Elif(self.busy & (waited >= patience)):
                    m.d.sync += [self.error.eq(1), refused.eq(refused + 1)]
                    m.next = "DONE"
            with m.State("ANSWER"):
                m.d.comb += self.answer.ready.eq(1)
                m.d.sync += Cat(self.reply, high).eq(self.answer.payload)
                with m.If(self.answer.valid):
                    m.next = "DONE"
            with m.State("DONE"):
                m.d.comb += self.done.eq(1)
                m.next = "REST"
        return m

    def _written(self, number: AxiRegister, word: Any) -> list[Any]:
        """What a write to a register other than DATA does."""
        if number == AxiRegister.RESET:
            return [self.reset.eq(self.data[0]), self.restart.eq(self.data[0])]
        if not AXI_REGISTERS[number].writable:
            return []
        changed = [word.eq(self.data)]
        return [*changed, self.restart.eq(1)] if number == AxiRegister.PACKET else changed
