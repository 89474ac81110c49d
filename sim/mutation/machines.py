# SPDX-License-Identifier: Apache-2.0
"""The cores that mistakes are made in: one that has most, one of short words."""

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

__all__ = ["MACHINE", "SHORT"]

MACHINE = Machine(
    rows=2,
    streams=2,
    contexts=2,
    multipliers=2,
    w_depth=64,
    r_depth=128,
    state_depth=256,
    q_depth=16,
    io_depth=64,
    program_depth=256,
    tables=4,
    phi_log2=4,
    time_constants=True,
    moments=2,
    carry=True,
)
"""All that a core can have but paired sweeps, two of what there can be two of, in memories that are
soon looked through."""

SHORT = Machine(
    rows=2,
    streams=2,
    multipliers=2,
    w_depth=64,
    r_depth=64,
    state_depth=64,
    q_depth=16,
    io_depth=16,
    program_depth=128,
    tables=4,
    phi_log2=Formats(8).phi_log2,
    carry=True,
    formats=Formats(8),
)
"""Words of 8 bits, of whose products nothing is dropped."""
