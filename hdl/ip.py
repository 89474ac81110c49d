# SPDX-License-Identifier: Apache-2.0
"""The core as a block for other people's designs: AXI4-Stream for data, AXI4-Lite for the rest."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.core import Core
from antevolt.hdl.io.axi_lite import PORTS, AxiLite
from antevolt.hdl.io.axi_stream import DATA, AxiIn, AxiOut
from antevolt.hdl.io.axi_window import AxiWindow
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.flags import FLAG_BITS, INPUT_FLAG_BITS
from antevolt.hdl.spec.machine import Machine

__all__ = ["Ip"]


class Ip(wiring.Component):
    """`Core(machine)` between AXI interfaces, all of whose wires come from or go to registers.

    Members
    -------
    aclk, aresetn : clock; reset, synchronous, low
    s_axis_x, s_axis_y : inputs with flags, targets;  m_axis_out : outputs with flags
    s_axi : the registers of `spec.axi_map`
    busy : a step runs

    `contents` is what the memories hold at power-up; resets do not restore it.
    """

    aclk: Any
    aresetn: Any
    busy: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.contents = machine, contents
        data = {"tdata": DATA, "tvalid": 1}
        into = data | {"tuser": INPUT_FLAG_BITS, "tlast": 1}
        out = data | {"tuser": FLAG_BITS, "tlast": 1}
        members: dict[str, Any] = {"aclk": In(1), "aresetn": In(1), "busy": Out(1)}
        for prefix, parts, way, back in (
            ("s_axis_x", into, In, Out),
            ("s_axis_y", data, In, Out),
            ("m_axis_out", out, Out, In),
        ):
            members |= {f"{prefix}_{name}": way(bits) for name, bits in parts.items()}
            members[f"{prefix}_tready"] = back(1)
        members |= {f"s_axi_{name}": member for name, member in PORTS.items()}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = domain = ClockDomain("sync")
        m.d.comb += [domain.clk.eq(self.aclk), domain.rst.eq(~self.aresetn)]
        word = self.machine.formats.word
        m.submodules.lite, m.submodules.window = lite, window = AxiLite(), AxiWindow()
        core, x, y = (
            Core(self.machine, contents=self.contents),
            AxiIn(word, True),
            AxiIn(word, False),
        )
        for name, part in (("core", core), ("x", x), ("y", y)):  # what the register RESET resets
            m.submodules[name] = ResetInserter(window.reset)(part)
        m.submodules.out = out = AxiOut(word)
        for one, other in (
            *((x.o, core.x), (y.o, core.y), (core.out, out.i)),
            *((window.access, core.access), (core.answer, window.answer)),
        ):
            _join(m, one, other)
        for name in ("active", "write", "address", "data"):
            m.d.comb += getattr(window, name).eq(getattr(lite, name))
        for name in ("done", "error", "reply"):
            m.d.comb += getattr(lite, name).eq(getattr(window, name))
        m.d.comb += [
            *(window.busy.eq(core.busy), self.busy.eq(core.busy)),
            window.offered.eq(Cat(x.o.valid, y.o.valid, self.m_axis_out_tvalid)),
            *(out.packet.eq(window.packet), out.restart.eq(window.restart)),
        ]
        for prefix, part in (
            ("s_axis_x", x),
            ("s_axis_y", y),
            ("m_axis_out", out),
            ("s_axi", lite),
        ):
            self._wire(m, prefix, part)
        return m

    def _wire(self, m: Module, prefix: str, part: Any) -> None:
        """A part's bus to the ports of the same names behind a prefix."""
        for name, member in part.signature.members.items():
            outside = getattr(self, f"{prefix}_{name}", None)
            if outside is not None and member.flow == wiring.In:
                m.d.comb += getattr(part, name).eq(outside)
            elif outside is not None:
                m.d.comb += outside.eq(getattr(part, name))


def _join(m: Module, source: Any, sink: Any) -> None:
    """A stream from one part to another; only the names of its bits may differ."""
    m.d.comb += [
        getattr(sink.payload, "as_value", lambda: sink.payload)().eq(source.payload),
        *(sink.valid.eq(source.valid), source.ready.eq(sink.ready)),
    ]
