# SPDX-License-Identifier: Apache-2.0
"""Cores that fill a part and that several boards have."""

from dataclasses import replace

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

__all__ = ["ALONE", "ECP5_25", "ECP5_85", "ECP5_85_PLACER", "SMALLEST", "XC7A35"]

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

ALONE = replace(SMALLEST, w_depth=512, formats=Formats(word=14))
"""For parts with room for a core that no host reads, but not for the link: 1 k weights. Program and
tables become logic. With words of 16 bits a network of four layers left 2 % of an iCE40UP5K for
its teacher."""

ECP5_25 = Machine(rows=2, streams=2, carry=True)
"""For 12F and 25F, which are one die: flip-flops are what is short. A third stream would take 81 %
of them and all block RAMs but one, and nextpnr finds no place for it."""

ECP5_85 = Machine(
    rows=9,
    streams=7,
    contexts=2,
    multipliers=2,
    tile_rows=3,
    tile_streams=2,
    w_depth=1024,
    r_depth=1024,
    state_depth=1024,
    io_depth=512,
    program_depth=512,
    carry=True,
)
"""Most multipliers, block RAMs and flip-flops of an 85F. It holds 18 k weights, less what groups of
nine rows leave over, and 14 streams of up to 512 neurons and presynaptic filters each: networks for
MNIST-1D by the rules `gle` and `instantaneous`, not by `trace`, whose 6 x 53 neurons want more
filters than that. Gradient sums can be carried on; a moment per weight would take a fifth of the
flip-flops more."""

ECP5_85_PLACER = ("--placer-heap-critexp", "4", "--placer-heap-timingweight", "20")
"""For that core the placer shall look more at the slowest paths, less at the length of all wires
(2 and 10 are its own): from 140.6 to 151.6 MHz, with the same netlist and seed. With one stream it
made no clock faster and routing take twice as long."""

XC7A35 = Machine(rows=4, streams=3)
"""Two thirds of an XC7A35T's LUTs by yosys, and three quarters with the link."""
