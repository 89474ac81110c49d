# SPDX-License-Identifier: Apache-2.0
"""What a softmax needs beside the filter: the largest value, the sum, and its reciprocal."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.largest import largest
from antevolt.hdl.lib.mask_add import MaskAdd
from antevolt.hdl.lib.registers import register
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.memory_map import SUM_BITS
from antevolt.hdl.spec.timing import DIVIDE

__all__ = ["Softmax"]

TELLERS = 3


class Softmax(wiring.Component):
    """largest = max r;  total = sum of exponentials;  share = 2^(r.frac + word - 2) / total.

    Members
    -------
    value, first : a result of the filter, and whether it is the first of its kind
    compare, add, last : it is an r of the outputs; an exponential; the last one
    largest : two cycles after `compare`
    share : mantissa of a coefficient in (0, 2), DIVIDE + word cycles after `add` with `last` at
        most; a quotient that is too large is all ones

    Golden twin: `sim.golden.filter.share`.
    """

    value: Any
    first: Any
    compare: Any
    add: Any
    last: Any
    largest: Any
    share: Any

    def __init__(self, formats: Formats):
        self.formats = formats
        word = formats.word
        super().__init__(
            {
                "value": In(signed(word)),
                "first": In(1),
                "compare": In(1),
                "add": In(1),
                "last": In(1),
                "largest": Out(signed(word)),
                "share": Out(word),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = register("total", signed(SUM_BITS))
        largest(m, self.value, self.first, self.compare, self.largest)
        m.submodules.sum = adder = MaskAdd(SUM_BITS)
        m.d.comb += [adder.a.eq(total), adder.b.eq(self.value), adder.clear.eq(self.first)]
        with m.If(self.add):
            m.d.sync += total.eq(adder.total)
        start = Signal()
        m.d.sync += start.eq(self.add & self.last)
        self._divide(m, start, total.as_unsigned())
        return m

    def _divide(self, m: Module, start: Any, divisor: Any) -> None:
        """One bit of the quotient per cycle: subtract, or add where the rest is negative; the bit
        is whether the new one is not. Both are made, since the choice between them stands when the
        cycle begins: only it is behind a sum, and little hangs on a bit of the rest. The rest goes
        on when nobody asks for it: one thing less that it depends on."""
        bits, width = self.formats.word - 1, SUM_BITS + 2
        rest = register("rest", signed(width))
        left, runs = Signal(range(bits + 1)), Signal()
        quotient = Signal(bits)
        # the rest's sign, in registers that each tell a few bits
        part = -(-width // TELLERS)
        adds = [register(f"adds{n}", 1, keep=True) for n in range(TELLERS)]
        less, more = ((rest << 1) - divisor)[:width], ((rest << 1) + divisor)[:width]
        following = Cat(
            Mux(one, more[n * part : (n + 1) * part], less[n * part : (n + 1) * part])
            for n, one in enumerate(adds)
        )
        m.d.sync += rest.eq(following)
        with m.If(start):
            m.d.sync += [rest.eq(1 << (self.formats.r.frac - 1)), left.eq(bits), runs.eq(1)]
            m.d.sync += [one.eq(0) for one in adds]
        with m.Elif(runs):
            m.d.sync += [
                *(runs.eq(left != 1), left.eq(left - 1)),
                *(one.eq(following[-1]) for one in adds),
            ]
        with m.If(runs):  # by itself, so that `start` is not before its enable
            m.d.sync += quotient.eq(Cat(~following[-1], quotient))
        m.d.comb += self.share.eq(quotient)


if DIVIDE < 3:
    raise RuntimeError("spec.timing and Softmax disagree")
