# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the top level: a core whose ports hang on two shift registers."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.core import Core
from antevolt.hdl.spec.machine import Machine

__all__ = ["StandIn"]


class StandIn(wiring.Component):
    """For timing only: what is shifted in at `rx` drives the core, the parity of what it says is
    shifted out at `tx`."""

    rx: Any
    tx: Any

    def __init__(self, machine: Machine, bels: dict[tuple[int, int], tuple[str, str]] | None):
        self.core = Core(machine, bels)
        super().__init__({"rx": In(1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = self.core
        inputs, outputs = [], []
        for _, member, value in self.core.signature.flatten(self.core):
            plain = getattr(value, "as_value", lambda v=value: v)()
            (inputs if member.flow == wiring.In else outputs).append(plain)
        shift = Signal(sum(map(len, inputs)))
        held = Signal(sum(map(len, outputs)))
        m.d.sync += [shift.eq(Cat(self.rx, shift)), held.eq(Cat(outputs))]
        groups = [held[at : at + 4].xor() for at in range(0, len(held), 4)]
        parities = Signal(len(groups))
        m.d.sync += parities.eq(Cat(groups))
        m.d.sync += self.tx.eq(parities.xor())
        m.d.comb += Cat(inputs).eq(shift)
        return m
