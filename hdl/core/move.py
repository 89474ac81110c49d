# SPDX-License-Identifier: Apache-2.0
"""A time constant after a step of learning."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.time_constants import BITS, HIGHEST, ONE

__all__ = ["Move"]


class Move(wiring.Component):
    """moved = tau -+ half_up(total m mantissa 2^(exponent - k)), limited: one bit of the mantissa
    per cycle, then the small factor, the shift, the sum.

    Members
    -------
    start : with mantissa and exponent of 1/tau_m; all operands stay until the result is taken
    tau, total, m, k : the time constant, its sum, its rate;  down : subtract
    moved : MOVE + word cycles after start

    Golden twin: `hdl.spec.time_constants.moved`.
    """

    start: Any
    tau: Any
    total: Any
    mantissa: Any
    exponent: Any
    m: Any
    k: Any
    down: Any
    moved: Any

    def __init__(self, formats: Formats):
        self.word = formats.word
        super().__init__(
            {
                "start": In(1),
                "tau": In(BITS),
                "total": In(signed(BITS)),
                "mantissa": In(self.word - 1),
                "exponent": In(signed(8)),
                "m": In(3),
                "k": In(6),
                "down": In(1),
                "moved": Out(BITS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = BITS + self.word - 1
        product, bits = register("product", signed(width)), register("bits", self.word - 1)
        left = Signal(range(self.word))
        with m.If(self.start):
            m.d.sync += [product.eq(0), bits.eq(self.mantissa), left.eq(self.word - 1)]
        with m.Elif(left.any()):
            m.d.sync += [
                product.eq((product << 1) + Mux(bits[-1], self.total, 0)),
                *(bits.eq(bits << 1), left.eq(left - 1)),
            ]
        few, whole = register("few", signed(width + 2)), register("whole", signed(width + 4))
        m.d.sync += [
            few.eq(Mux(self.m[1], product << 1, 0) + Mux(self.m[0], product, 0)),
            whole.eq((few + Mux(self.m[2], product << 2, 0)) << 1),
        ]
        value: Any = whole
        places = register("places", 6)
        m.d.sync += places.eq(self.k - self.exponent)
        for stage in (4, 2, 0):
            shifted = register(f"shifted{stage}", signed(width + 4))
            digit = places[stage : stage + 2]
            far = Mux(digit[0], value >> (3 << stage), value >> (2 << stage))
            near = Mux(digit[0], value >> (1 << stage), value)
            m.d.sync += shifted.eq(Mux(digit[1], far, near))
            value = shifted
        change, tau = register("change", signed(width + 4)), Cat(self.tau, Const(0, 1)).as_signed()
        total = register("total_register", signed(width + 5))
        m.d.sync += [
            change.eq((value + 1) >> 1),
            total.eq(Mux(self.down, tau - change, tau + change)),
            self.moved.eq(Mux(total < ONE, ONE, Mux(total > HIGHEST, HIGHEST, total))),
        ]
        return m
