# SPDX-License-Identifier: Apache-2.0
"""A gradient as a float, and its square: what the moments move to."""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.normalise import latency, normalise
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.moments import EXPONENTS, FRACTION, MAGNITUDE, MANTISSA, SQUARE_BITS, SQUARES
from antevolt.hdl.spec.timing import NORMAL

__all__ = ["Magnitude"]


class Magnitude(wiring.Component):
    """|G| = mantissa 2^(exponent - ZERO - MANTISSA), cut off; G^2 = square 2^(2 exponent - ..).

    Members
    -------
    gradient : a word, at 0
    negative, exponent, mantissa : of G, at NORMAL; 0 is exponent and mantissa 0
    square : of the mantissa, from a table by its leading bits; at NORMAL

    Golden twin: `sim.golden.moments.magnitude`.
    """

    gradient: Any
    negative: Any
    exponent: Any
    mantissa: Any
    square: Any

    def __init__(self, word: int):
        super().__init__(
            {
                "gradient": In(word),
                "negative": Out(1),
                "exponent": Out(EXPONENTS[0]),
                "mantissa": Out(MANTISSA + 1),
                "square": Out(MANTISSA + 2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sign = self.gradient[-1]
        size = register("size", MAGNITUDE)
        m.d.sync += size.eq(Mux(sign, -self.gradient.as_signed(), self.gradient))
        top, count = normalise(m, size, "size")
        mantissa = top[MAGNITUDE - 1 - MANTISSA :]
        table = Array(Const(square, FRACTION + 2) for square in SQUARES)
        square, there = register("square_table", FRACTION + 2), Signal()
        m.d.comb += there.eq(mantissa[-1])
        m.d.sync += [
            self.mantissa.eq(mantissa),
            self.exponent.eq(~count),
            square.eq(table[mantissa[MANTISSA - SQUARE_BITS : MANTISSA]]),
        ]
        m.d.comb += [
            self.negative.eq(delay(m, sign, NORMAL, "negative")),
            self.square.eq(Mux(self.mantissa[-1], square, 0) << MANTISSA - FRACTION),
        ]
        return m


if 1 + latency(MAGNITUDE) + 1 != NORMAL:
    raise RuntimeError("spec.timing and Magnitude disagree")
