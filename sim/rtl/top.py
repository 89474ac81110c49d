# SPDX-License-Identifier: Apache-2.0
"""`open("rtl:top")`: a whole simulated board, reached over its serial line."""

from antevolt.hdl.spec.machine import Machine
from antevolt.host.link.backend import LinkBackend
from antevolt.host.link.session import Session
from antevolt.sim.rtl.line import SIMULATED, SimulatedLine, build_top

__all__ = ["open_top"]


def open_top(_address: str, machine: Machine | None, deadline: float) -> LinkBackend:
    """The board of `machine`; built on first use."""
    chosen = machine or Machine()
    session = Session(SimulatedLine(build_top(chosen, SIMULATED)), deadline)
    try:
        session.connect()
        return LinkBackend(session, chosen)
    except BaseException:
        session.close()
        raise
