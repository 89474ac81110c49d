# SPDX-License-Identifier: Apache-2.0
"""Limit a signed number to fewer bits, in two cycles: test, then choose; and round it half up."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, signed

from antevolt.hdl.lib.registers import register

__all__ = ["LATENCY", "half_up", "saturate"]

LATENCY = 2  # in one cycle it was the critical path of a full array


def half_up(value: Any, drop: int) -> Any:
    """`value / 2**drop`, ties up, combinational; exact where `drop` is 0 or less."""
    return ((value >> (drop - 1)) + 1) >> 1 if drop > 0 else value << -drop


def saturate(m: Module, value: Any, width: int, name: str) -> tuple[Any, Any]:
    """(`value` limited to signed `width` bits, whether it changed), `LATENCY` cycles later."""
    top = value[width - 1 :]
    low = register(f"{name}_low", width)
    fits, negative = register(f"{name}_fits", 1), register(f"{name}_negative", 1)
    out, changed = register(name, signed(width)), register(f"{name}_changed", 1)
    m.d.sync += [
        low.eq(value[:width]),
        fits.eq(top.all() | ~top.any()),
        negative.eq(value[-1]),
        out.eq(Mux(fits, low, Cat((~negative).replicate(width - 1), negative))),
        changed.eq(~fits),
    ]
    return out, changed
