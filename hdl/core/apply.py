# SPDX-License-Identifier: Apache-2.0
"""The apply lane of one row: w <- w + eta G, one weight per cycle."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import ApplyRule, ApplySlot, bits
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.lib.saturate import LATENCY, saturate
from antevolt.hdl.spec.dither import BITS, ROTATIONS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.timing import NUMBERS, RESULT, WEIGHT

__all__ = ["ApplyLane"]


class ApplyLane(wiring.Component):
    """w' = sat(w + floor((floor(G m 2^16 / 2^k) + random) / 2^16)), plain SGD.

    random: 16 bits of `spec.dither` (stochastic) or one half (half up).

    Members
    -------
    rule : eta = m 2^-k, rounding and key; static
    gradient : the G word, at 0
    slot.i, slot.j : the weight's numbers, at NUMBERS
    weight : the weight, at WEIGHT
    slot.live, .weights, .half : at RESULT, which weight the result is
    data, address, en : write port of the row's weight memory; pairs, with the odd column
    saturated : a weight was limited

    Golden twin: `sim.golden.apply`.
    """

    rule: Any
    slot: Any
    gradient: Any
    weight: Any
    data: Any
    address: Any
    en: Any
    saturated: Any

    def __init__(self, machine: Machine, row: int):
        self.machine, self.row = machine, row
        word = machine.formats.word
        super().__init__(
            {
                "rule": In(ApplyRule()),
                "slot": In(ApplySlot(machine)),
                "gradient": In(2 * word),
                "weight": In(signed(word)),
                "data": Out(2 * word),
                "address": Out(bits(machine.w_depth)),
                "en": Out(1),
                "saturated": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, slot = self.machine.formats.word, self.slot
        change = self._scale(m)
        limited, _ = saturate(m, change, word + 2 + BITS, "change")
        total = register("total", signed(word + 3))
        m.d.sync += total.eq((limited + Cat(self._random(m), Const(0, 1)).as_signed()) >> BITS)
        new = register("new", signed(word + 4))
        m.d.sync += new.eq(total + self.weight)
        result, changed = saturate(m, new, word, "result")
        even = register("even", word)
        with m.If(slot.live & ~slot.half):
            m.d.sync += even.eq(result)
        m.d.comb += [
            self.data.eq(Cat(even, result)),
            self.address.eq(slot.weights),
            self.en.eq(slot.live & slot.half),
        ]
        m.d.sync += self.saturated.eq(changed & slot.live)
        return m

    def _scale(self, m: Module) -> Any:
        """G m 2^16 >> k, floored; 5 cycles. m is 4 and two bits more."""
        rule, gradient = self.rule, self.gradient.as_signed()
        part, kept = register("part", signed(len(gradient) + 2)), delay(m, gradient, 1, "kept")
        m.d.sync += part.eq(Mux(rule.m[1], gradient << 1, 0) + Mux(rule.m[0], gradient, 0))
        value: Any = register("scaled", signed(len(gradient) + 4))
        m.d.sync += value.eq((kept << 2) + part)
        value = Cat(Const(0, BITS), value).as_signed()
        for stage, (low, step) in enumerate(((4, 16), (2, 4), (0, 1))):
            moved, digit = register(f"moved{stage}", signed(len(value))), rule.k[low : low + 2]
            far = Mux(digit[0], value >> 3 * step, value >> 2 * step)
            near = Mux(digit[0], value >> step, value)
            m.d.sync += moved.eq(Mux(digit[1], far, near))
            value = moved
        return value

    def _random(self, m: Module) -> Any:
        """The twin of `spec.dither.dither`: one register per round, and one before; 6 cycles."""
        rule = self.rule
        i = Signal(16)
        m.d.comb += i.eq(self.slot.i + self.row)
        word: Any = register("place", 32)
        m.d.sync += word.eq(Cat(self.slot.j, Const(0, 16 - len(self.slot.j)), i) ^ rule.key)
        for stage, (op, n) in enumerate(ROTATIONS):
            mixed = register(f"mixed{stage}", 32)
            m.d.sync += mixed.eq(word + (word << n) if op == "add" else word ^ (word >> n))
            word = mixed
        return Mux(rule.stochastic, word[32 - BITS :], 1 << (BITS - 1))


SCALED = 5 + LATENCY  # when the change is scaled and limited
if (NUMBERS + 1 + len(ROTATIONS), WEIGHT, RESULT) != (SCALED, SCALED + 1, SCALED + 2 + LATENCY):
    raise RuntimeError("spec.timing and ApplyLane disagree")
