# SPDX-License-Identifier: Apache-2.0
"""A board whose core only doubles its inputs: the whole link, and little behind it."""

from functools import cache
from pathlib import Path
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.io.link import Link
from antevolt.hdl.spec.link import LinkParameters
from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.session import Session
from antevolt.sim.rtl.build import build_component
from antevolt.sim.rtl.echo_core import echoing
from antevolt.sim.rtl.line import LINE, SimulatedLine

MACHINE = Machine()
FAST = LinkParameters(silence=0.05, trial=0.02, selective=True)


class EchoTop(wiring.Component):
    """`Top`, with `EchoCore` as its core."""

    rx: Any
    tx: Any

    def __init__(self, link: LinkParameters = FAST):
        self.link = link
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = Link(MACHINE, self.link)
        echoing(m, link)
        m.d.comb += [link.rx.eq(self.rx), self.tx.eq(link.tx)]
        return m


@cache
def library(link: LinkParameters = FAST) -> Path:
    """The simulator of an `EchoTop`."""
    return build_component(lambda: EchoTop(link), "echo-top", front=LINE)


def line(link: LinkParameters = FAST) -> SimulatedLine:
    return SimulatedLine(library(link), link)


def board(link: LinkParameters = FAST, deadline: float = 60.0) -> LinkBackend:
    session = Session(line(link), deadline)
    session.connect()
    return LinkBackend(session)
