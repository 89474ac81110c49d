# SPDX-License-Identifier: Apache-2.0
"""The filter's product: base + round(a b / 2^shift), saturated, wide and narrow."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import SHIFT_BITS
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.lib.saturate import saturate
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.roundings import PRE
from antevolt.hdl.spec.timing import BASE, NARROW, WIDE

__all__ = ["Product"]


class Product(wiring.Component):
    """wide = sat(base + half_up(a b 2^PRE, shift)); narrow = sat(half_up(wide, guard)).

    Members
    -------
    a, b : words;  shift : right shift, with them
    base : one bit wider than `wide`, BASE cycles after them
    wide, wide_saturated : WIDE cycles after them
    narrow, saturated : NARROW cycles after them; `saturated` when either result was limited

    Golden twin: `sim.golden.filter.product` and `narrow`. `docs/step.md`, "The filter's product".
    """

    a: Any
    b: Any
    shift: Any
    base: Any
    wide: Any
    wide_saturated: Any
    narrow: Any
    saturated: Any

    def __init__(self, formats: Formats):
        self.formats = formats
        word, wide = formats.word, formats.word + formats.guard
        super().__init__(
            {
                "a": In(signed(word)),
                "b": In(signed(word)),
                "shift": In(SHIFT_BITS),
                "base": In(signed(wide + 1)),
                "wide": Out(signed(wide)),
                "wide_saturated": Out(1),
                "narrow": Out(signed(word)),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, guard, wide = self.formats.word, self.formats.guard, len(self.wide)
        m.submodules.multiplier = multiplier = Multiplier(word)
        a, b = register("operand_a", signed(word)), register("operand_b", signed(word))
        m.d.sync += [a.eq(self.a), b.eq(self.b)]
        m.d.comb += [multiplier.a.eq(a), multiplier.b.eq(b)]
        # one bit below the point stays: floor(floor(x / 2^(n-1)) + 1) / 2) rounds half up
        value: Any = Cat(Const(0, PRE + 1), multiplier.p).as_signed()
        shift = delay(m, self.shift, 1 + Multiplier.latency, "shift")
        for stage, (low, step) in enumerate(((4, 16), (2, 4), (0, 1))):
            moved = register(f"shifted{stage}", signed(len(value)))
            digit = shift[low : low + 2]
            far = Mux(digit[0], value >> 3 * step, value >> 2 * step)
            near = Mux(digit[0], value >> step, value)
            m.d.sync += moved.eq(Mux(digit[1], far, near))
            value, shift = moved, delay(m, shift, 1, f"shift_stage{stage}")
        total = register("total", signed(max(len(value), wide + 1) + 2))
        rounded = Cat(Const(1, 1), value[1:]).as_signed() + Cat(value[0], self.base).as_signed()
        m.d.sync += total.eq(rounded >> 1)
        limited, changed = saturate(m, total, wide, "limited")
        rounded = register("rounded", signed(word + 1))
        m.d.sync += rounded.eq(((limited >> (guard - 1)) + 1) >> 1)
        over = rounded[word - 1] & ~rounded[word]  # half up leaves the range only at the top
        narrow, saturated = register("narrow", signed(word)), register("saturated", 1)
        m.d.sync += [
            narrow.eq(Mux(over, (1 << (word - 1)) - 1, rounded)),
            saturated.eq(over | delay(m, changed, 1, "changed")),
        ]
        m.d.comb += [
            self.wide.eq(limited),
            self.wide_saturated.eq(changed),
            self.narrow.eq(narrow),
            self.saturated.eq(saturated),
        ]
        return m


if 1 + Multiplier.latency + 3 != BASE or BASE + 1 + 2 != WIDE or WIDE + 2 != NARROW:
    raise RuntimeError("spec.timing and Product disagree")
