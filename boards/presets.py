# SPDX-License-Identifier: Apache-2.0
"""Cores that fill a part and that several boards have."""

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

__all__ = ["ECP5_25", "ECP5_85", "SMALLEST"]

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
    saturations=False,
    spacing=16,
    near=True,
    formats=Formats(word=12),
)
"""The smallest core that learns: what parts with few cells would have to hold. Words of 12 bits are
the shortest that an MNIST-1D of 4 k weights was learned with (`docs/results.md`), and one neuron
every 16 cycles is as fast as one row sweeps 32 inputs of it."""

ECP5_25 = Machine(rows=2, streams=2, carry=True)
"""For 12F and 25F, which are one die: flip-flops are what is short. A third stream would take 81 %
of them and all block RAMs but one, and nextpnr finds no place for it."""

ECP5_85 = Machine(
    rows=4,
    streams=7,
    w_depth=2048,
    state_depth=1024,
    io_depth=512,
    moments=1,
)
"""Room for 15 k weights with a moment each, traces and leaky logits: most block RAMs are used."""
