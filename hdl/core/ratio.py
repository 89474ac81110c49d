# SPDX-License-Identifier: Apache-2.0
"""The ratio of two numbers as a coefficient, one bit per cycle."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.normalise import latency, normalise
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.time_constants import BITS
from antevolt.hdl.spec.timing import RATIO

__all__ = ["Ratio"]


class Ratio(wiring.Component):
    """over / under = mantissa 2^(2 - word) 2^exponent, the mantissa in [1, 2), cut.

    Members
    -------
    start : with the operands, which must be positive
    mantissa, exponent : RATIO + word cycles later, until the next start

    Golden twin: `hdl.spec.time_constants.ratio`.
    """

    start: Any
    over: Any
    under: Any
    mantissa: Any
    exponent: Any

    def __init__(self, formats: Formats):
        self.word = formats.word
        super().__init__(
            {
                "start": In(1),
                "over": In(BITS),
                "under": In(BITS),
                "mantissa": Out(self.word - 1),
                "exponent": Out(signed(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        over, n = normalise(m, self.over, "over")
        under, d = normalise(m, self.under, "under")
        start = delay(m, self.start, latency(BITS), "start", init=True)
        rest, divisor = register("rest", BITS + 1), register("divisor", BITS)
        quotient, left = register("quotient", self.word), Signal(range(self.word + 1))
        places = register("places", signed(8))
        fits = rest >= divisor
        less = (rest - divisor)[: BITS + 1]
        with m.If(start):
            m.d.sync += [rest.eq(over), divisor.eq(under), left.eq(self.word)]
            m.d.sync += places.eq(_difference(d, n))
        with m.Elif(left.any()):
            m.d.sync += [
                rest.eq(Cat(Const(0, 1), Mux(fits, less, rest))),
                *(quotient.eq(Cat(fits, quotient)), left.eq(left - 1)),
            ]
        whole = quotient[-1]  # the ratio of the normalised numbers is 1 or more
        m.d.comb += [
            self.mantissa.eq(Mux(whole, quotient[1:], quotient)),
            self.exponent.eq(Mux(whole, places, places - 1)),
        ]
        return m


def _difference(d: Any, n: Any) -> Any:
    return Cat(d, Const(0, 1)).as_signed() - Cat(n, Const(0, 1)).as_signed()


if latency(BITS) + 2 != RATIO:
    raise RuntimeError("spec.timing and Ratio disagree")
