# SPDX-License-Identifier: Apache-2.0
"""Chains of registers: pure delays, and hops that keep long wires short."""

from typing import Any

from amaranth.hdl import Module, Signal, Value

__all__ = ["KEEP", "delay", "hop", "hops", "register"]

KEEP = {"dup": 1}
"""Marks registers that synthesis must not share with equal ones elsewhere (`sim/rtl/synthesis`)."""


def register(name: str, shape: Any, keep: bool = False) -> Signal:
    """A data register: no reset, so that it can move into memories and multipliers."""
    return Signal(shape, name=name, reset_less=True, attrs=KEEP if keep else {})


def delay(m: Module, value: Any, n: int, name: str, keep: bool = False, init: bool = False) -> Any:
    """`value` behind `n` registers. `init`: with a reset (for control that must start at zero)."""
    for i in range(n):
        nxt = Signal(value.shape(), name=f"{name}_d{i}", reset_less=not init)
        if keep:
            nxt.attrs.update(KEEP)
        m.d.sync += nxt.eq(value)
        value = nxt
    return value


def hop(m: Module, value: Any, name: str) -> Any:
    """One register on the way to the next tile, not to be shared."""
    nxt = Signal(value.shape(), name=name, reset_less=True)
    Value.cast(nxt)
    (nxt.as_value() if hasattr(nxt, "as_value") else nxt).attrs.update(KEEP)
    m.d.sync += nxt.eq(value)
    return nxt


def hops(m: Module, value: Any, n: int, name: str) -> list[Any]:
    """`value` after 1 .. n hops."""
    out = []
    for i in range(n):
        value = hop(m, value, f"{name}_h{i}")
        out.append(value)
    return out
