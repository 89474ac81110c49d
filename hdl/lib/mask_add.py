# SPDX-License-Identifier: Apache-2.0
"""An adder whose first operand can be cleared without a LUT in front of the carry chain."""

from amaranth.hdl import Cat, Const, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.family import family

__all__ = ["MaskAdd"]


class MaskAdd(wiring.Component):
    """total = (a & ~clear) + b + cin, combinational, with carry out.

    Members
    -------
    a, b, total : `width` bits;  clear, cin, cout : 1 bit

    On ECP5 a carry cell has a third input: propagate = (a & ~clear) ^ b (INIT 0xC6xx), generate = b
    (INIT bits 3..0 = 0xC), so the mask costs neither LUT nor delay.
    """

    def __init__(self, width: int, carry_in: bool = False):
        self.width, self.carry_in = width, carry_in
        super().__init__(
            {
                "a": In(width),
                "b": In(width),
                "clear": In(1),
                "cin": In(1),
                "total": Out(width),
                "cout": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if family(platform) != "ecp5":
            kept = self.a & ~self.clear.replicate(self.width)
            m.d.comb += Cat(self.total, self.cout).eq(kept + self.b + self.cin)
            return m
        one, zero = Const(1), Const(0)
        bits = [(self.a[i], self.b[i], self.clear, self.total[i]) for i in range(self.width)]
        bits.append((zero, zero, zero, self.cout))
        if self.carry_in:
            bits.insert(0, (one, self.cin, zero, Signal(name="spare")))  # 1 + cin carries cin
        if len(bits) % 2:
            bits.append((zero, zero, zero, Signal(name="pad")))
        carry = zero
        for n in range(0, len(bits), 2):
            (a0, b0, c0, s0), (a1, b1, c1, s1) = bits[n : n + 2]
            following = Signal(name=f"carry{n}")
            m.submodules[f"cell{n}"] = Instance(
                "CCU2C",
                p_INIT0=Const(0xC6CC, 16),
                p_INIT1=Const(0xC6CC, 16),
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_CIN=carry,
                **{"i_A0": a0, "i_B0": b0, "i_C0": c0, "i_D0": one},
                **{"i_A1": a1, "i_B1": b1, "i_C1": c1, "i_D1": one},
                o_S0=s0,
                o_S1=s1,
                o_COUT=following,
            )
            carry = following
        return m
