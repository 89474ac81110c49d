# SPDX-License-Identifier: Apache-2.0
"""The random bits of a weight: the twin of `spec.dither.dither`, one register per round."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal

from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.dither import BITS, ROTATIONS

__all__ = ["LATENCY", "mixed", "place", "random_bits"]

LATENCY = 1 + len(ROTATIONS)


def random_bits(m: Module, key: Any, i: Any, j: Any, name: str) -> Any:
    """`BITS` bits for neuron `i` and column `j`, `LATENCY` cycles later."""
    return mixed(m, place(m, i, j, name) ^ key, name)[32 - BITS :]


def place(m: Module, i: Any, j: Any, name: str) -> Any:
    """Where a weight stands: its column, and above it its neuron."""
    neuron = Signal(16, name=f"{name}_i")
    m.d.comb += neuron.eq(i)
    return Cat(j, Const(0, 16 - len(j)), neuron)


def mixed(m: Module, start: Any, name: str) -> Any:
    """`spec.dither.mix` of 32 bits, `LATENCY` cycles later."""
    word: Any = register(f"{name}_place", 32)
    m.d.sync += word.eq(start)
    for stage, (op, n) in enumerate(ROTATIONS):
        following = register(f"{name}_mixed{stage}", 32)
        m.d.sync += following.eq(word + (word << n) if op == "add" else word ^ (word >> n))
        word = following
    return word
