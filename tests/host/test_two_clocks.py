# SPDX-License-Identifier: Apache-2.0
"""A simulated board whose link has half the core's clock: every bit as the model's, and resets."""

import numpy as np
import pytest
from amaranth.hdl import Cat, ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.link import Kind, LinkParameters
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.top import Top
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.session import Session
from antevolt.sim.rtl.build import build_component, seconds_of, sources_of
from antevolt.sim.rtl.line import LINE, SimulatedLine
from small import NETWORK, SMALL, everything, same, signals

pytestmark = pytest.mark.timeout(900)  # the first use builds the simulator
SLOW = LinkParameters()
FAST = LinkParameters(clock_hz=2 * SLOW.clock_hz)  # the line's time is that of the core's clock


class TwoClocks(wiring.Component):
    """A `Top` with its clocks: `clk` is the core's, every other of its edges is the link's."""

    def __init__(self):
        ports = {"rx": In(1, init=1), "tx": Out(1, init=1), "clk": In(1), "rst": In(1)}
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.domains.early = early = ClockDomain("early", reset_less=True)
        m.domains.sync = sync = ClockDomain("sync")
        m.domains.link = link = ClockDomain("link")
        m.submodules.top = top = Top(SMALL, SLOW, apart=True)
        half, held = Signal(), Signal(4)
        m.d.early += [half.eq(~half), held.eq(Cat(self.rst, held[:3]))]
        m.d.comb += [
            *(early.clk.eq(self.clk), sync.clk.eq(self.clk), link.clk.eq(half)),
            *(sync.rst.eq(top.restart), link.rst.eq(held.any())),
            *(top.rx.eq(self.rx), self.tx.eq(top.tx)),
        ]
        return m


@pytest.fixture(scope="module")
def library():
    sources = sources_of(SMALL.to_json(), repr(SLOW), "two clocks", TwoClocks.__module__)
    return build_component(
        TwoClocks, f"{SMALL.name}-two-clocks", sources=sources, seconds=seconds_of(SMALL) + 10,
        front=LINE,
    )  # fmt: skip


@pytest.fixture
def board(library):
    session = Session(SimulatedLine(library, FAST), 60.0)
    session.connect()
    with Device("two clocks", LinkBackend(session, SMALL)) as device:
        yield device


LEFT = {Region.REGISTERS: np.zeros(1)}
"""Cycles are counted while the line is at work."""


def test_equal_in_every_bit(board):
    """Outputs, and all memories after learning; they are written and read over the crossing."""
    x, y = signals(40, 2, 1), signals(40, 1, 2)
    with open_device(machine=SMALL) as model:
        model.load(NETWORK)
        board.load(NETWORK)
        assert np.array_equal(*(device.partial_fit(x, y).predict(x) for device in (board, model)))
        assert same(everything(board) | LEFT, everything(model) | LEFT)


def test_a_reset_forgets_what_is_under_way(board):
    """Inputs of a step that never ends, and a session that begins anew; then all is as new."""
    x, y = signals(12, 2, 3), signals(12, 1, 4)
    with open_device(machine=SMALL) as model:
        model.load(NETWORK)
        session = board.backend.session
        for _ in range(4):
            board.load(NETWORK)
            board.partial_fit(x, y)
            session.send(Kind.X, bytes([Flag.VALID, 1, 2, 0]))  # one of two inputs: it waits
            session.flush()
            session.reset()
        board.load(NETWORK)
        assert np.array_equal(*(device.partial_fit(x, y).predict(x) for device in (board, model)))
        assert same(everything(board) | LEFT, everything(model) | LEFT)
