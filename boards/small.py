# SPDX-License-Identifier: Apache-2.0
"""The smallest core there is: what parts with few cells would have to hold."""

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

__all__ = ["SMALLEST"]

SMALLEST = Machine(
    w_depth=256,
    r_depth=64,
    state_depth=64,
    q_depth=64,
    io_depth=16,
    program_depth=64,
    tables=1,
    phi_log2=5,
    traces=False,
    softmax=False,
    sums=False,
    formats=Formats(word=16),
)
