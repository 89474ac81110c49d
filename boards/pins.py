# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what surrounds a core: registers between its ports and the pins."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from antevolt.hdl.lib.registers import delay

__all__ = ["Pins"]

REGISTERS = 2  # one may sit at the pin, one at the core


class Pins(wiring.Component):
    """The ports of `core`, each `REGISTERS` cycles away: for timing only, no stream survives it.

    Without it the placer draws the core's own port registers to pins all over the part, and the
    clock it reports is that of wires no design has.
    """

    def __init__(self, core: Any):
        self.core = core
        super().__init__(core.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = self.core
        outside = {path: value for path, _, value in self.signature.flatten(self)}
        for path, member, inside in self.core.signature.flatten(self.core):
            name, own = "_".join(map(str, path)), outside[path]
            source, sink = (inside, own) if member.flow == wiring.Out else (own, inside)
            late = delay(m, getattr(source, "as_value", lambda s=source: s)(), REGISTERS, name)
            m.d.comb += getattr(sink, "as_value", lambda s=sink: s)().eq(late)
        return m
