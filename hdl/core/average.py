# SPDX-License-Identifier: Apache-2.0
"""A moment follows its target: x <- x + (t - x) / 2^k in small floats."""

from typing import Any, NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.normalise import latency, normalise
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.dither import BITS
from antevolt.hdl.spec.moments import EXPONENTS, FRACTION, MANTISSA, ONE, SLOWEST, TAIL, WORD
from antevolt.hdl.spec.timing import AVERAGE

__all__ = ["Average", "shift_down"]

POINT = FRACTION + TAIL  # fractional bits of the sums
WIDTH = POINT + 3  # bits of the sums, sign excepted
ALIGN = 5  # bits of the shifts that align
RANDOM = AVERAGE - 2


class _Aligned(NamedTuple):
    """The summands at one exponent."""

    own: Any
    change: Any
    top: Any


class Average(wiring.Component):
    """Align x and t / 2^k, add, normalise, round by random bits.

    Members
    -------
    k : static
    word : a moment, at 0; the first kind has a sign, the second has none
    negative, exponent, mantissa : the target at 0, with MANTISSA fractional bits
    random : at RANDOM
    new : at AVERAGE

    The result never leaves its range: the target is inside. Too small a one becomes 0.
    Golden twin: `sim.golden.moments.average`.
    """

    k: Any
    word: Any
    negative: Any
    exponent: Any
    mantissa: Any
    random: Any
    new: Any

    def __init__(self, which: int):
        self.signed, self.bits = which == 0, EXPONENTS[which]
        super().__init__(
            {
                "k": In(SLOWEST.bit_length()),
                "word": In(WORD),
                "negative": In(1),
                "exponent": In(self.bits),
                "mantissa": In(MANTISSA + 2),
                "random": In(BITS),
                "new": Out(WORD),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        aligned = self._align(m)  # at 6
        less = shift_down(m, aligned.own, self.k, "less")
        own, change = (delay(m, part, 2, f"{n}_wait") for n, part in enumerate(aligned[:2]))
        kept = register("kept", WIDTH)
        m.d.sync += kept.eq(own - less)
        sign = self.word[-1] & self.k.any() & int(self.signed)
        other = delay(m, sign ^ (self.negative & int(self.signed)), 9, "other")
        total = register("total", signed(WIDTH + 1))
        change = delay(m, change, 1, "change_wait")
        m.d.sync += total.eq(Mux(other, kept - change, kept + change))
        size = register("size", WIDTH)
        m.d.sync += size.eq(Mux(total[-1] & int(self.signed), -total, total))
        flipped = delay(m, total[-1], AVERAGE - 11, "flipped")
        negative = delay(m, sign, AVERAGE - 1, "sign") ^ flipped
        self._round(m, size, delay(m, aligned.top, AVERAGE - 2 - 6, "top"), negative)
        return m

    def _align(self, m: Module) -> _Aligned:
        """The larger exponent, and both summands shifted to it; 6 cycles."""
        exponent, field = Signal(self.bits), self.word[FRACTION : FRACTION + self.bits]
        m.d.comb += exponent.eq(Mux(self.k.any(), field, 0))  # k = 0 forgets the old
        lead = register("lead", signed(self.bits + 1))
        m.d.sync += lead.eq(self.exponent - self.k)
        before = delay(m, exponent, 1, "exponent")
        up, down = (register(name, signed(self.bits + 2)) for name in ("up", "down"))
        m.d.sync += [up.eq(lead - before), down.eq(before - lead)]
        top = register("top", self.bits)
        m.d.sync += top.eq(Mux(up[-1], delay(m, before, 1, "below"), delay(m, lead, 1, "above")))
        mantissa = Mux(exponent.any(), self.word[:FRACTION] | ONE, 0)
        own = delay(m, Cat(Const(0, TAIL), mantissa), 3, "own")
        change = delay(m, Cat(Const(0, POINT - MANTISSA), self.mantissa), 3, "change")
        parts = []
        for name, value, by in (("own", own, up), ("change", change, down)):
            places = register(f"{name}_places", ALIGN)
            far = by[ALIGN:-1].any()
            m.d.sync += places.eq(Mux(by[-1], 0, by[:ALIGN] | far.replicate(ALIGN)))
            parts.append(shift_down(m, value, places, name))
        return _Aligned(parts[0], parts[1], delay(m, top, 3, "top_wait"))

    def _round(self, m: Module, size: Any, top: Any, negative: Any) -> None:
        """Normalise from 11 to AVERAGE - 2, add the random bits, make the word."""
        number, count = normalise(m, size, "size")
        rounded = register("rounded", WIDTH + 1)
        exponent = register("exponent", signed(self.bits + 2))
        there = delay(m, number[-1], 1, "there")
        m.d.sync += [
            rounded.eq(number + (self.random << TAIL + 2 - BITS)),
            exponent.eq(top + 2 - count),
        ]
        fraction = rounded[TAIL + 2 : TAIL + 2 + FRACTION]
        stored = (exponent + rounded[-1])[: self.bits]
        word = Cat(fraction, stored, negative if self.signed else Const(0, 0))
        m.d.sync += self.new.eq(Mux(there & (exponent > 0), word, 0))


def shift_down(m: Module, value: Any, places: Any, name: str) -> Any:
    """`value` >> `places`, two bits of which are taken per cycle, the upper ones first."""
    width = len(places)
    for low in reversed(range(0, width, 2)):
        digit = places[low : low + 2]
        moved = register(f"{name}_by{1 << low}", value.shape())
        near = Mux(digit[0], value >> (1 << low), value)
        far = Mux(digit[0], value >> (3 << low), value >> (2 << low)) if len(digit) > 1 else near
        m.d.sync += moved.eq(Mux(digit[1], far, near) if len(digit) > 1 else near)
        value = moved
        if low:
            places = delay(m, places[:low], 1, f"{name}_places{low}")
    return value


if 11 + latency(WIDTH) + 2 != AVERAGE:
    raise RuntimeError("spec.timing and Average disagree")
