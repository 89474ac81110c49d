# SPDX-License-Identifier: Apache-2.0
"""A signed multiplier with all its registers: a vendor block where there is one, else plain."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.family import family
from antevolt.hdl.lib.registers import delay

__all__ = ["Multiplier"]


class Multiplier(wiring.Component):
    """p = a b, registered at input, pipeline and output.

    Members
    -------
    a, b : ``In(signed(width))``, width <= 18
    p : ``Out(signed(2 width))``, `latency` cycles later

    On ECP5 it is one MULT18X18D (its registers are not inferred by the open tools); `bel` pins
    it to a place.
    """

    latency = 3

    def __init__(self, width: int = 18, bel: str | None = None):
        if not 1 <= width <= 18:
            raise ValueError(f"width is {width}; the multiplier has 1..18 bits")
        self.width, self.bel = width, bel
        super().__init__(
            {"a": In(signed(width)), "b": In(signed(width)), "p": Out(signed(2 * width))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if family(platform) == "ecp5":
            m.submodules.block = self._ecp5()
            return m
        a, b = delay(m, self.a, 1, "a"), delay(m, self.b, 1, "b")
        m.d.comb += self.p.eq(delay(m, (a * b).as_signed(), self.latency - 1, "p"))
        return m

    def _ecp5(self) -> Instance:
        one, zero = Const(1), Const(0)
        ports = {"i_CLK0": ClockSignal(), "i_CE0": one, "i_RST0": zero}
        ports |= {"i_SIGNEDA": one, "i_SIGNEDB": one, "i_SOURCEA": zero, "i_SOURCEB": zero}
        for register in ("INPUTA", "INPUTB", "PIPELINE", "OUTPUT"):
            ports |= {f"p_REG_{register}_CLK": "CLK0", f"p_REG_{register}_CE": "CE0"}
            ports |= {f"p_REG_{register}_RST": "RST0"}
        sign = self.width - 1
        ports |= {f"i_A{i}": self.a[min(i, sign)] for i in range(18)}
        ports |= {f"i_B{i}": self.b[min(i, sign)] for i in range(18)}
        ports |= {f"o_P{i}": self.p[i] for i in range(2 * self.width)}
        if self.bel:
            ports["a_BEL"] = self.bel
        return Instance("MULT18X18D", **ports)
