# SPDX-License-Identifier: Apache-2.0
"""A signed multiplier with all its registers: a vendor block where there is one, else plain."""

from typing import Any

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed
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

    A block of ECP5 (MULT18X18D), of iCE40UP (SB_MAC16, up to 16 bits) or of Gowin (MULT18X18):
    their registers are not inferred by the open tools.
    """

    latency = 3
    widest = 18

    def __init__(self, width: int = 18):
        if not 1 <= width <= 18:
            raise ValueError(f"width is {width}; the multiplier has 1..18 bits")
        self.width = width
        super().__init__(
            {"a": In(signed(width)), "b": In(signed(width)), "p": Out(signed(2 * width))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        match family(platform):
            case "ecp5":
                m.submodules.block = self._ecp5()
                return m
            case "ice40" if self.width <= 16:
                m.submodules.block = self._ice40(m)
                return m
            case "gowin":
                m.submodules.block = self._gowin(m)
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
        return Instance("MULT18X18D", **ports)

    def _extended(self, m: Module, width: int) -> tuple[Signal, Signal, Signal]:
        """Operands and product of a block of this width."""
        a, b, product = Signal(signed(width)), Signal(signed(width)), Signal(2 * width)
        m.d.comb += [a.eq(self.a), b.eq(self.b), self.p.eq(product[: 2 * self.width])]
        return a, b, product

    def _ice40(self, m: Module) -> Instance:
        one, zero = Const(1), Const(0)
        on = ("A_REG", "B_REG", "TOP_8x8_MULT_REG", "BOT_8x8_MULT_REG", "A_SIGNED", "B_SIGNED")
        on_too = ("PIPELINE_16x16_MULT_REG1", "PIPELINE_16x16_MULT_REG2")
        off = ("NEG_TRIGGER", "C_REG", "D_REG", "MODE_8x8")
        off_too = ("TOPADDSUB_UPPERINPUT", "BOTADDSUB_UPPERINPUT")
        pairs = {"TOPOUTPUT_SELECT": 3, "BOTOUTPUT_SELECT": 3}  # the product of 16 x 16
        for half in ("TOP", "BOT"):
            pairs |= {f"{half}ADDSUB_{x}": 0 for x in ("LOWERINPUT", "CARRYSELECT")}
        ports: dict[str, Any] = {f"p_{name}": Const(1, 1) for name in (*on, *on_too)}
        ports |= {f"p_{name}": Const(0, 1) for name in (*off, *off_too)}
        ports |= {f"p_{name}": Const(value, 2) for name, value in pairs.items()}
        ports |= {f"i_{x}HOLD": zero for x in "ABCD"}
        for half in ("TOP", "BOT"):
            ports |= {f"i_{x}{half}": zero for x in ("IRST", "ORST", "OLOAD", "ADDSUB", "OHOLD")}
        ports |= {f"i_{name}": zero for name in ("CI", "ACCUMCI", "SIGNEXTIN")}
        ports |= {"i_C": Const(0, 16), "i_D": Const(0, 16), "i_CLK": ClockSignal(), "i_CE": one}
        a, b, product = self._extended(m, 16)
        return Instance("SB_MAC16", i_A=a, i_B=b, o_O=product, **ports)

    def _gowin(self, m: Module) -> Instance:
        one, zero = Const(1), Const(0)
        registers = ("AREG", "BREG", "PIPE_REG", "OUT_REG")
        ports: dict[str, Any] = {f"p_{name}": Const(1, 1) for name in registers}
        ports |= {f"p_{name}": Const(0, 1) for name in ("ASIGN_REG", "BSIGN_REG", "SOA_REG")}
        ports |= {"i_CLK": ClockSignal(), "i_CE": one, "i_RESET": zero}
        ports |= {"i_ASIGN": one, "i_BSIGN": one, "i_ASEL": zero, "i_BSEL": zero}
        ports |= {"i_SIA": Const(0, 18), "i_SIB": Const(0, 18)}
        a, b, product = self._extended(m, 18)
        return Instance("MULT18X18", i_A=a, i_B=b, o_DOUT=product, **ports)
