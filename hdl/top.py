# SPDX-License-Identifier: Apache-2.0
"""The top level of every board: the core, and the link to a host over a serial line."""

from typing import Any

from amaranth.hdl import DomainRenamer, Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from antevolt.hdl.core.core import Core
from antevolt.hdl.io.crossing import Crossing
from antevolt.hdl.io.link import Link
from antevolt.hdl.spec.link import LinkParameters
from antevolt.hdl.spec.machine import Machine

__all__ = ["LinkParameters", "Top"]


class Top(wiring.Component):
    """A board without its pins; the clock of the domain `sync` has `link.clock_hz`.

    apart : the link is in the domain `link`, whose clock has `link.clock_hz` and is not faster than
        that of `sync`, the core's; the reset of `sync` must be `restart`

    Members
    -------
    rx, tx : the serial line, idle high (`docs/protocol.md`), in the link's domain
    restart : only with `apart`: the core is to be reset
    """

    rx: Any
    tx: Any
    restart: Any

    def __init__(self, machine: Machine, link: LinkParameters, apart: bool = False):
        self.machine, self.link, self.apart = machine, link, apart
        line = {"rx": In(1, init=1), "tx": Out(1, init=1)}
        super().__init__({**line, **({"restart": Out(1)} if apart else {})})

    def elaborate(self, platform: object) -> Module:
        return self._apart() if self.apart else self._together()

    def _apart(self) -> Module:
        m = Module()
        m.submodules.link = link = DomainRenamer("link")(Link(self.machine, self.link))
        m.submodules.crossing = crossing = Crossing(self.machine)
        m.submodules.core = core = Core(self.machine)
        for name in ("x", "y", "access"):
            connect(m, getattr(link, name), getattr(crossing, name))
        for inner, outer in (
            (crossing.core_x, core.x),
            (crossing.core_y, core.y),
            (core.out, crossing.core_out),
            (core.answer, crossing.core_answer),
            (crossing.out, link.out),
            (crossing.answer, link.answer),
        ):
            connect(m, inner, outer)
        request, access = crossing.core_access, core.access
        m.d.comb += [
            *(access.payload.eq(request.payload), access.valid.eq(request.valid)),
            *(request.ready.eq(access.ready), crossing.core_busy.eq(core.busy)),
            *(link.busy.eq(crossing.busy), crossing.restart.eq(link.restart)),
            self.restart.eq(crossing.core_restart),
            *(link.rx.eq(self.rx), self.tx.eq(link.tx)),
        ]
        return m

    def _together(self) -> Module:
        m = Module()
        m.submodules.link = link = Link(self.machine, self.link)
        core = Core(self.machine)
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
