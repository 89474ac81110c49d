# SPDX-License-Identifier: Apache-2.0
"""One element of the array: two multipliers, their operands, e, an accumulator and its drain."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.mask_add import MaskAdd
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.registers import KEEP, delay, register
from antevolt.hdl.lib.skew import LAG, Skew, add, low_bits, take_product
from antevolt.hdl.spec.formats import Formats, QFormat

__all__ = ["Element"]

PRODUCTS = 3  # operands to products


class Element(wiring.Component):
    """Element (i, k): weights of row i meet activities of stream k.

    A forward slot makes w0 r0 + w1 r1 and adds it to the accumulator, exactly; a back slot makes
    w e (towards q) and e r (towards G), each rounded half up to its word. In a core whose sweeps
    may be `paired`, a back slot can instead make e r0 and e r1, both towards G.

    Members
    -------
    w, r : pairs; in a back slot w holds the column's weight low, r its rate high
    back, take : with the operands: which sweep, and take the e that is here (a back sweep goes on
        with that of its first slot);  both : a back slot of two rates
    clear, load : start a sum; copy the finished sum to the drain register
    e_in, e, e_shift : the e chain, towards row 0
    d_in_*, d_*, d_shift : the drain chain, towards row 0, low part `lag` cycles ahead

    Latency: operands at cycle 0, products at PRODUCTS, accumulator at 5.
    """

    w: Any
    r: Any
    back: Any
    take: Any
    clear: Any
    load: Any
    e_in: Any
    e: Any
    e_shift: Any
    d_in_lo: Any
    d_in_hi: Any
    d_lo: Any
    d_hi: Any
    d_shift: Any

    def __init__(self, formats: Formats, lag: int = LAG, paired: bool = False):
        self.formats, self.lag, self.paired = formats, lag, paired
        word, high = formats.word, formats.accumulator - formats.word
        super().__init__(
            {
                "w": In(2 * word),
                "r": In(2 * word),
                "back": In(1),
                "take": In(1),
                "clear": In(1),
                "load": In(1),
                "e_in": In(signed(word)),
                "e": Out(signed(word)),
                "e_shift": In(1),
                "d_in_lo": In(word),
                "d_in_hi": In(signed(high)),
                "d_lo": Out(word),
                "d_hi": Out(signed(high)),
                "d_shift": In(1),
                **({"both": In(1)} if paired else {}),
            }
        )
        self.q_part = self._part("q", formats.q, formats.q_drop)
        self.g_part = self._part("g", formats.g, formats.g_drop)
        # of the even column, where there are two memories of sums
        self.g_even = self._part("g_even", formats.g, formats.g_drop) if paired else None

    def _part(self, name: str, fmt: QFormat, drop: int) -> Skew:
        """A product of two words on its way into a sum of format `fmt`."""
        low = low_bits(fmt.width)
        return Skew(name, low, 2 * self.formats.word - drop - low, drop > 0, self.lag)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.formats.word
        mults = [Multiplier(word), Multiplier(word)]
        m.submodules.mult0, m.submodules.mult1 = mults
        # the multipliers have registers at their inputs and outputs: no others beside them
        e, taken = (register(name, signed(word)) for name in ("e_register", "taken"))
        own = Signal(signed(word))
        m.d.comb += own.eq(Mux(self.take, e, taken))
        m.d.sync += taken.eq(own)
        w0, w1, r0, r1 = (p.as_signed() for w in (self.w, self.r) for p in (w[:word], w[word:]))
        both = self.both if self.paired else Const(0)
        m.d.comb += [
            *(mults[0].a.eq(Mux(both, r0, w0)), mults[0].b.eq(Mux(self.back, own, r0))),
            *(mults[1].a.eq(Mux(self.back, own, w1)), mults[1].b.eq(r1)),
        ]
        m.d.comb += self.e.eq(e)
        with m.If(self.e_shift):
            m.d.sync += e.eq(self.e_in)
        take_product(m, self.q_part, mults[0].p, self.formats.q_drop)
        take_product(m, self.g_part, mults[1].p, self.formats.g_drop)
        if self.g_even is not None:
            first = delay(m, both, PRODUCTS, "both", keep=True)
            take_product(m, self.g_even, Mux(first, mults[0].p, mults[1].p), self.formats.g_drop)
        self._accumulate(m, mults)
        return m

    def _accumulate(self, m: Module, mults: list[Multiplier]) -> None:
        word, high = self.formats.word, self.formats.accumulator - self.formats.word
        p0, p1 = (Skew(name, word, word, lag=self.lag) for name in ("p0", "p1"))
        take_product(m, p0, mults[0].p, 0)
        take_product(m, p1, mults[1].p, 0)
        s = add(m, "s", p0, p1, word + 1)
        acc_lo, acc_hi = register("acc_lo", word), register("acc_hi", signed(high))
        if self.lag:
            self._in_halves(m, s, acc_lo, acc_hi)
        else:
            m.submodules.whole = whole = MaskAdd(word + high)
            m.d.comb += [
                *(whole.a.eq(Cat(acc_lo, acc_hi)), whole.b.eq(Cat(s.lo, s.hi).as_signed())),
                whole.clear.eq(self.clear),
            ]
            m.d.sync += Cat(acc_lo, acc_hi).eq(whole.total)
        load = delay(m, self.load, self.lag, "load", keep=True)
        shift = delay(m, self.d_shift, self.lag, "shift", keep=True)
        for out, acc, before, copy, move in (
            (self.d_lo, acc_lo, self.d_in_lo, self.load, self.d_shift),
            (self.d_hi, acc_hi, self.d_in_hi, load, shift),
        ):
            drain = Signal(out.shape(), name=f"{out.name}_drain", reset_less=True, attrs=dict(KEEP))
            m.d.comb += out.eq(drain)
            with m.If(copy | move):
                m.d.sync += drain.eq(Mux(copy, acc, before))

    def _in_halves(self, m: Module, s: Skew, acc_lo: Any, acc_hi: Any) -> None:
        m.submodules.lo = lo = MaskAdd(len(acc_lo))
        m.submodules.hi = hi = MaskAdd(len(acc_hi), carry_in=True)
        extended = Signal(signed(len(acc_hi)))
        clear = delay(m, self.clear, self.lag, "clear", keep=True)
        m.d.comb += [
            extended.eq(s.hi),
            *(lo.a.eq(acc_lo), lo.b.eq(s.lo), lo.clear.eq(self.clear)),
            *(hi.a.eq(acc_hi), hi.b.eq(extended), hi.clear.eq(clear)),
            hi.cin.eq(delay(m, lo.cout, self.lag, "carry")),
        ]
        m.d.sync += [acc_lo.eq(lo.total), acc_hi.eq(hi.total)]
