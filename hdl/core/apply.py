# SPDX-License-Identifier: Apache-2.0
"""The apply lane of a row, or of several: w <- w + eta G, or what a rule has in place of G."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import ApplyRule, ApplySlot, bits
from antevolt.hdl.core.direction import Direction
from antevolt.hdl.core.mixer import LATENCY as LATENCY_OF_RANDOM
from antevolt.hdl.core.mixer import mixed, place, random_bits
from antevolt.hdl.lib.family import family
from antevolt.hdl.lib.multiplier import Multiplier
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.lib.saturate import LATENCY, saturate
from antevolt.hdl.spec.dither import BITS
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import SCALE, WORD, Rule
from antevolt.hdl.spec.timing import FOLD, NUMBERS, RESULT, WEIGHT, Timing

__all__ = ["MULTIPLY", "ApplyLane", "may_multiply", "scalers"]


class ApplyLane(wiring.Component):
    """w' = sat(w + floor((floor(G m 2^16 / 2^k) + random) / 2^16)).

    random: 16 bits of `spec.dither` (stochastic) or one half (half up). With plain SGD, G is the
    gradient. Other rules have a number and a k of their own for every weight, DIRECTION later,
    and all else counts from there (`direction.Direction`). NUMBERS, WEIGHT, RESULT and FOLD
    are of `spec.timing`; WEIGHT and RESULT come `Timing.choice` later.

    Rules that carry the sum on work as SGD does, on G or 2^SCALE sign(G), and

        folded = G - floor(G / 2^first + 1/2)

    With `apply_rows`, `row` is the first of those that share the lane; the rule says whose words
    these are.

    Members
    -------
    rule : eta = m 2^-k, rounding, key, and how the moments follow; static
    gradient : the G word, at 0
    slot.i, slot.j : the weight's numbers, at NUMBERS, `Timing.shared` before
    weight : the weight, at WEIGHT + choice
    slot.live, .weights, .half : at RESULT + choice, which weight the result is
    data, address, en : write port of the row's weight memory; pairs, with the odd column
    saturated : a weight was limited
    folded : what is left of the gradient, at FOLD; only in a machine with carry
    key_takes, key_word, key_mixed : of `key.LaneKey`; only row 0 of a core that is near
    moments : the moment words, at NORMAL; this and what follows only in a machine with moments
    slot.moment_i, .moment_j : the weight's numbers, at MOMENT_NUMBERS
    slot.moment, .moment_live : at NORMAL + AVERAGE, where the new moments belong
    new_moments, moment_address, moment_en : write port of the row's moments

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
    folded: Any
    key_takes: Any
    key_word: Any
    key_mixed: Any
    moments: Any
    new_moments: Any
    moment_address: Any
    moment_en: Any

    def __init__(self, machine: Machine, row: int):
        self.machine, self.row = machine, row
        self.makes_key = machine.near and row == 0
        self.choice, self.shared = Timing(machine).choice, Timing(machine).shared
        self.may_multiply = may_multiply(machine)
        self.multiplies = 0  # with blocks of so many bits, whatever the family
        keys = {"key_takes": In(1), "key_word": In(32), "key_mixed": Out(32)}
        word, wide = machine.formats.word, machine.formats.g.width
        moments = {
            "moments": In(WORD * machine.moments),
            "new_moments": Out(WORD * machine.moments),
            "moment_address": Out(1 + bits(machine.w_depth)),
            "moment_en": Out(1),
        }
        super().__init__(
            {
                "rule": In(ApplyRule(machine.apply_rows)),
                "slot": In(ApplySlot(machine)),
                "gradient": In(wide),
                "weight": In(signed(word)),
                "data": Out(2 * word),
                "address": Out(bits(machine.w_depth)),
                "en": Out(1),
                "saturated": Out(1),
                **({"folded": Out(wide)} if machine.carry else {}),
                **(moments if machine.moments else {}),
                **(keys if self.makes_key else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, slot = self.machine.formats.word, self.slot
        number, k = self._direction(m)
        widest = self.multiplies or self.may_multiply and MULTIPLY.get(family(platform), 0)
        change = self._multiply(m, number, k, widest) if widest else self._scale(m, number, k)
        limited, _ = saturate(m, change, word + 2 + BITS, "change")
        random = delay(m, self._random(m), self.choice, "random")
        # of what lies below the weight's last bit only the carry counts
        change, carry = register("whole", signed(word + 2)), register("carry", 1)
        m.d.sync += [change.eq(limited >> BITS), carry.eq((limited[:BITS] + random)[BITS])]
        new = register("new", signed(word + 4))
        total = Cat(Const(1, 1), change).as_signed() + Cat(carry, self.weight).as_signed()
        m.d.sync += new.eq(total >> 1)
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
        if self.machine.carry:
            self._fold(m)
        return m

    def _direction(self, m: Module) -> tuple[Any, Any]:
        """What is scaled, and its k 2 cycles later."""
        rule, slot = self.rule, self.slot
        gradient: Any = self.gradient
        self.signs = register("signs", 1)  # of what is static: a wire less
        near = [register(f"signs{n}", 1, keep=True) for n in range(PARTS)]  # and shorter ones
        m.d.sync += [one.eq(rule.rule == Rule.SIGN_SUM) for one in (self.signs, *near)]
        if self.machine.carry:
            sign = gradient[-1].replicate(len(gradient) - SCALE - 1)
            ones = Cat(Const(0, SCALE), Const(1, 1), sign)  # 2^SCALE, or its negative
            part = -(-len(gradient) // PARTS)
            gradient = Cat(
                Mux(one, ones[at : at + part], gradient[at : at + part])
                for one, at in zip(near, range(0, len(gradient), part), strict=True)
            )
        if not self.machine.moments:
            return gradient.as_signed(), rule.k
        m.submodules.direction = direction = Direction(self.machine)
        m.d.comb += [
            *(direction.rule.eq(rule), direction.gradient.eq(self.gradient)),
            *(direction.moments.eq(self.moments), self.new_moments.eq(direction.new)),
            *(direction.i.eq(slot.moment_i + self.row), direction.j.eq(slot.moment_j)),
            *(self.moment_address.eq(slot.moment), self.moment_en.eq(slot.moment_live)),
        ]
        plain = (rule.rule == Rule.SGD) | rule.rule[2]
        number = Mux(plain, gradient, direction.number).as_signed()
        return number, Mux(plain, rule.k, direction.shift)

    def _scale(self, m: Module, number: Any, k: Any) -> Any:
        """G m 2^16 >> k, floored; 5 cycles and those of a choice. m is 4 and two bits more; k comes
        2 cycles later."""
        rule = self.rule
        two, one = Mux(rule.m[1], number, 0).as_signed(), Mux(rule.m[0], number, 0).as_signed()
        # in registers where there is a choice in front of them
        number, two, one = (
            delay(m, value, self.choice, name)
            for value, name in ((number, "number"), (two, "two"), (one, "one"))
        )
        k = delay(m, k, self.choice if self.machine.moments else 0, "k")
        part, kept = register("part", signed(len(number) + 2)), delay(m, number, 1, "kept")
        m.d.sync += part.eq((two << 1) + one)
        value: Any = register("scaled", signed(len(number) + 4))
        total = (kept << 2) + part
        m.d.sync += value.eq(Mux(self._nothing(m), 0, total) if self.machine.carry else total)
        value = Cat(Const(0, BITS), value).as_signed()
        for stage, (low, step) in enumerate(((4, 16), (2, 4), (0, 1))):
            # static without moments, and so without registers
            own = delay(m, k, stage if self.machine.moments else 0, f"k{stage}")
            moved, digit = register(f"moved{stage}", signed(len(value))), own[low : low + 2]
            far = Mux(digit[0], value >> 3 * step, value >> 2 * step)
            near = Mux(digit[0], value >> step, value)
            m.d.sync += moved.eq(Mux(digit[1], far, near))
            value = moved
        return value

    def _multiply(self, m: Module, number: Any, k: Any, widest: int) -> Any:
        """The same, with multipliers in the place of an adder and a shifter's last steps: with
        k = 8 c + r, G (m 2^(7 - r)) 2^9 >> 8 c."""
        factor, scaled = Signal(signed(widest)), Const(0, 1).as_signed()
        m.d.comb += factor.eq(((4 + self.rule.m[:2]) << 7) >> k[:3])
        for n, at in enumerate(range(0, len(number), widest - 1)):
            part, last = number[at : at + widest - 1], at + widest > len(number)
            m.submodules[f"scale{n}"] = multiplier = Multiplier(widest)
            own = part.as_signed() if last else Cat(part, Const(0, 1)).as_signed()
            m.d.comb += [multiplier.a.eq(own), multiplier.b.eq(factor)]
            scaled = (multiplier.p << at) + scaled
        total = register("scaled", signed(len(number) + 10))
        m.d.sync += total.eq(scaled)
        value: Any = Cat(Const(0, BITS - 7), total).as_signed()
        for digit, step in ((k[5], 32), (k[4], 16), (k[3], 8)):
            value = Mux(digit, value >> step, value)
        moved = register("moved", signed(len(value)))
        m.d.sync += moved.eq(value)
        return moved

    def _nothing(self, m: Module) -> Any:
        """A sum of 0 has no sign; as late as what was made of it. Its bits are many."""
        nothing, part = register("nothing", 1), -(-len(self.gradient) // PARTS)
        some = register("some", PARTS)
        m.d.sync += [
            some.eq(Cat(self.gradient[n * part : (n + 1) * part].any() for n in range(PARTS))),
            nothing.eq(~some.any() & self.signs),
        ]
        return nothing

    def _fold(self, m: Module) -> None:
        """G - half_up(G / 2^k), by one adder: its carry in is the bit that rounds."""
        width, k = len(self.gradient), self.rule.first
        value: Any = Cat(Const(0, 1), self.gradient).as_signed()
        for low, step in ((2, 4), (0, 1)):
            digit = k[low : low + 2]
            far = Mux(digit[0], value >> 3 * step, value >> 2 * step)
            near = Mux(digit[0], value >> step, value)
            moved = register(f"folded{low}", signed(width + 1))
            m.d.sync += moved.eq(Mux(digit[1], far, near))
            value = moved
        kept = delay(m, self.gradient, FOLD - 1, "sum")
        total = Cat(Const(1, 1), kept) + ~value
        m.d.sync += self.folded.eq(total[1 : width + 1])

    def _random(self, m: Module) -> Any:
        """The random bits of the weight, or one half."""
        rule = self.rule
        i, j = self._numbers(m)
        if self.makes_key:
            word = Mux(self.key_takes, self.key_word, place(m, i, j, "random"))
            m.d.comb += self.key_mixed.eq(mixed(m, word ^ rule.key, "random"))
            random = self.key_mixed[32 - BITS :]
        else:
            random = random_bits(m, rule.key, i, j, "random")
        return Mux(rule.stochastic, random, 1 << (BITS - 1))

    def _numbers(self, m: Module) -> tuple[Any, Any]:
        """Of the weight, as the words come; the row of a shared lane is static, and all the same
        there is time for a register behind its sum."""
        slot, row = self.slot, self.row
        if not self.shared:
            return slot.i + row, slot.j
        own, i = register("row", range(row + self.machine.apply_rows)), register("i", len(slot.i))
        m.d.sync += [own.eq(row + self.rule.skip), i.eq(slot.i + own)]
        return delay(m, i, self.shared - 1, "i"), delay(m, slot.j, self.shared, "j")


PARTS = 3  # of a sum of which something is asked

MULTIPLY = {"gowin": 18, "ice40": 16}
"""Families with multipliers to spare on a part that is short of logic cells, and their bits."""


def may_multiply(machine: Machine) -> bool:
    """Where eta is static and any sum is scaled."""
    return machine.near and not machine.moments and not machine.carry


def scalers(machine: Machine, widest: int) -> int:
    """Multipliers of so many bits that scale a sum of this core."""
    return -(-machine.formats.g.width // (widest - 1))


SCALED = 5 + LATENCY  # when the change is scaled and limited
if (NUMBERS + LATENCY_OF_RANDOM, WEIGHT, RESULT) != (SCALED, SCALED + 1, SCALED + 2 + LATENCY):
    raise RuntimeError("spec.timing and ApplyLane disagree")
