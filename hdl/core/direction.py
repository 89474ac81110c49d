# SPDX-License-Identifier: Apache-2.0
"""From a gradient and its moments to the new moments and the direction of the weight."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.average import RANDOM, Average
from antevolt.hdl.core.bundles import ApplyRule
from antevolt.hdl.core.magnitude import Magnitude
from antevolt.hdl.core.mixer import LATENCY as MIXING
from antevolt.hdl.core.mixer import random_bits
from antevolt.hdl.core.quotient import LATENCY, Quotient
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import KEYS, WORD, Rule
from antevolt.hdl.spec.timing import AVERAGE, DIRECTION, MOMENT_NUMBERS, NORMAL

__all__ = ["Direction"]


class Direction(wiring.Component):
    """The rules with moments: m, and with two moments v, then their quotient.

    Members
    -------
    rule : static
    gradient : at 0;  moments : the words, m below v, at NORMAL
    i, j : the weight's numbers, at MOMENT_NUMBERS
    new : the new words, at NORMAL + AVERAGE; v is 0 where the rule has none
    number : at DIRECTION, in place of a gradient;  shift : 2 cycles later

    Golden twin: `sim.golden.direction`.
    """

    rule: Any
    gradient: Any
    moments: Any
    i: Any
    j: Any
    new: Any
    number: Any
    shift: Any

    def __init__(self, machine: Machine):
        self.machine = machine
        wide = machine.formats.g.width
        super().__init__(
            {
                "rule": In(ApplyRule()),
                "gradient": In(wide),
                "moments": In(WORD * machine.moments),
                "i": In(16),
                "j": In(13),
                "new": Out(WORD * machine.moments),
                "number": Out(wide),
                "shift": Out(6),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.magnitude = size = Magnitude(len(self.gradient))
        m.submodules.quotient = quotient = Quotient(self.machine)
        m.d.comb += size.gradient.eq(self.gradient)
        targets = (size.exponent, size.mantissa), (size.exponent << 1, size.square)
        words: list[Any] = []
        for which in range(self.machine.moments):
            m.submodules[f"moment{which}"] = average = Average(which)
            exponent, mantissa = targets[which]
            m.d.comb += [
                average.k.eq((self.rule.first, self.rule.second)[which]),
                average.word.eq(self.moments.word_select(which, WORD)),
                *(average.negative.eq(size.negative), average.exponent.eq(exponent)),
                *(average.mantissa.eq(mantissa), average.random.eq(self._random(m, which))),
            ]
            words.append(average.new)
        if len(words) > 1:
            words[1] = Mux(self.rule.rule == Rule.ADAM, words[1], 0)
            m.d.comb += quotient.second.eq(words[1])
        m.d.comb += [
            self.new.eq(Cat(words)),
            *(quotient.rule.eq(self.rule), quotient.first.eq(words[0])),
            *(self.number.eq(quotient.number), self.shift.eq(quotient.shift)),
        ]
        return m

    def _random(self, m: Module, which: int) -> Any:
        return random_bits(m, self.rule.key ^ KEYS[which], self.i, self.j, f"random{which}")


if DIRECTION != NORMAL + AVERAGE + LATENCY or MOMENT_NUMBERS + MIXING != NORMAL + RANDOM:
    raise RuntimeError("spec.timing and Direction disagree")
