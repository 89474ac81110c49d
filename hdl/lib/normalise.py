# SPDX-License-Identifier: Apache-2.0
"""Shift an unsigned number up until its top bit is set, and count the places."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux

from antevolt.hdl.lib.registers import delay, register

__all__ = ["latency", "normalise"]

FAR = 16  # a step over so many places tests in one cycle and moves in the next


def _steps(width: int) -> list[int]:
    return [1 << n for n in reversed(range((width - 1).bit_length()))]


def latency(width: int) -> int:
    """Cycles for a number of `width` bits."""
    return sum(2 if step >= FAR else 1 for step in _steps(width))


def normalise(m: Module, value: Any, name: str) -> tuple[Any, Any]:
    """(`value` moved up, by how many places), `latency` later; 0 counts as many as it can."""
    width = len(value)
    count: Any = Const(0, 0)
    for step in _steps(width):
        none = ~value[width - step :].any()
        if step >= FAR:
            tested = register(f"{name}_none{step}", 1)
            m.d.sync += tested.eq(none)
            none = tested
            value = delay(m, value, 1, f"{name}_wait{step}")
            count = delay(m, count, 1, f"{name}_count{step}")
        moved = register(f"{name}_by{step}", width)
        places = register(f"{name}_places{step}", len(count) + 1)
        m.d.sync += [
            moved.eq(Mux(none, Cat(Const(0, step), value[: width - step]), value)),
            places.eq(Cat(none, count)),
        ]
        value, count = moved, places
    return value, count
