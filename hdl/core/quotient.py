# SPDX-License-Identifier: Apache-2.0
"""What moves a weight: m, sign(m) or m / sqrt(v), as a number and a shift."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import ApplyRule
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import (
    EXPONENTS,
    FRACTION,
    ONE,
    ROOT_BITS,
    ROOTS,
    SCALE,
    WORD,
    ZERO,
    Rule,
)

__all__ = ["LATENCY", "SHIFT_LATENCY", "Quotient"]

LATENCY = 2 + Multiplier.latency + 1
SHIFT_LATENCY = LATENCY + 2  # the shift is wanted by the second register after the number


class Quotient(wiring.Component):
    """number = (+-m's mantissa) (1/sqrt of v's mantissa, or 1/2), shift = eta's k - exponents.

    1/sqrt comes from a table by the leading bits of the mantissa and the parity of the exponent.
    A machine with one moment has no multiplier.

    Members
    -------
    rule : static
    first, second : the moment words, at 0
    number : at LATENCY, standing at the top of a gradient's word
    shift : at SHIFT_LATENCY

    Golden twin: `sim.golden.direction`.
    """

    rule: Any
    first: Any
    second: Any
    number: Any
    shift: Any

    def __init__(self, machine: Machine):
        self.machine = machine
        super().__init__(
            {
                "rule": In(ApplyRule()),
                "first": In(WORD),
                "second": In(WORD),
                "number": Out(machine.formats.g.width),
                "shift": Out(6),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rule, top = self.rule.rule, FRACTION + EXPONENTS[0]
        exponent = self.first[FRACTION:top]
        size = Mux(rule == Rule.SIGN, ONE, self.first[:FRACTION] | ONE)
        there = exponent.any()
        with_v = self.machine.moments > 1
        if with_v:
            there = there & ((rule != Rule.ADAM) | self.second[FRACTION:].any())
        mantissa = register("mantissa", signed(FRACTION + 2))
        m.d.sync += mantissa.eq(Mux(there, Mux(self.first[top], -size, size), 0))
        product = Signal(signed(2 * FRACTION + 3))
        whole = self._product(m, mantissa) if with_v else self._half(m, mantissa)
        m.d.comb += product.eq(whole)
        m.d.comb += self.number.eq(Cat(Const(0, len(self.number) - len(product)), product))
        self._shift(m, exponent)
        return m

    def _half(self, m: Module, mantissa: Any) -> Any:
        """In place of a product, without v."""
        return delay(m, mantissa, LATENCY - 1, "product") << FRACTION

    def _product(self, m: Module, mantissa: Any) -> Any:
        """From the first register to LATENCY; 2 (FRACTION + 1) bits and the sign."""
        table = Array(Const(root, FRACTION + 1) for root in ROOTS)
        read, factor = register("root", FRACTION + 1), register("factor", FRACTION + 1)
        place = self.second[FRACTION - ROOT_BITS : FRACTION + 1]
        m.d.sync += [
            read.eq(table[place]),
            factor.eq(Mux(self.rule.rule == Rule.ADAM, read, ONE)),
        ]
        m.submodules.multiplier = multiplier = Multiplier()
        m.d.comb += [multiplier.a.eq(delay(m, mantissa, 1, "wait")), multiplier.b.eq(factor)]
        product = register("product", signed(2 * FRACTION + 3))
        m.d.sync += product.eq(multiplier.p)
        return product

    def _shift(self, m: Module, exponent: Any) -> None:
        """k + (length of a gradient - 2) + ZERO - exponent of the number, limited to 0 .. 63."""
        rule, offset = self.rule, len(self.number) - 2 + ZERO
        own = register("own", signed(9))
        m.d.sync += own.eq(exponent + 1)
        with m.If(rule.rule == Rule.SIGN):
            m.d.sync += own.eq(ZERO + SCALE + 1)
        if self.machine.moments > 1:
            with m.If(rule.rule == Rule.ADAM):
                m.d.sync += own.eq(exponent - self.second[FRACTION + 1 :] + ZERO + SCALE)
        base, places = register("base", signed(9)), register("places", signed(10))
        m.d.sync += [base.eq(rule.k + offset), places.eq(base - own)]
        limited = Signal(6)
        m.d.comb += limited.eq(Mux(places[-1], 0, places[:6] | places[6:-1].any().replicate(6)))
        m.d.comb += self.shift.eq(delay(m, limited, SHIFT_LATENCY - 2, "limited"))
