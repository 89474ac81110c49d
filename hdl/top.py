# SPDX-License-Identifier: Apache-2.0
"""The top level of every board: the core, and the link to a host over a serial line."""

from typing import Any

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from antevolt.hdl.core.core import Core
from antevolt.hdl.io.link import Link
from antevolt.hdl.spec.link import LinkParameters
from antevolt.hdl.spec.machine import Machine

__all__ = ["LinkParameters", "Top"]


class Top(wiring.Component):
    """A board without its pins; the clock of the domain `sync` has `link.clock_hz`.

    Members
    -------
    rx, tx : the serial line, idle high (`docs/protocol.md`)
    """

    rx: Any
    tx: Any

    def __init__(
        self,
        machine: Machine,
        link: LinkParameters,
        bels: dict[tuple[int, int], tuple[str, str]] | None = None,
    ):
        self.machine, self.link, self.bels = machine, link, bels
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.machine, self.link)
        core = Core(self.machine, self.bels)
        m.submodules.core = ResetInserter(link.restart)(core)
        for inner, outer in (
            (link.x, core.x),
            (link.y, core.y),
            (core.out, link.out),
            (core.answer, link.answer),
        ):
            connect(m, inner, outer)
        m.d.comb += [
            *(core.access.payload.eq(link.access.payload), core.access.valid.eq(link.access.valid)),
            *(link.access.ready.eq(core.access.ready), link.busy.eq(core.busy)),
            *(link.rx.eq(self.rx), self.tx.eq(link.tx)),
        ]
        return m
