# SPDX-License-Identifier: Apache-2.0
"""A memory of sums: word[address] += total, one per cycle."""

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.lib.late import late
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.lib.skew import Skew, add, low_bits
from antevolt.hdl.spec.timing import LEAD

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Read, add, write back; the word must be long enough for every sum (it never saturates).

    Members
    -------
    address, live, clear : present LEAD cycles before `total.lo`; `clear` overwrites instead of adds
    word : the word read at `address`, LEAD cycles later
    beside : anything that goes with the address
    done_data, done_address, done_live, done_beside : the word as it is written back, `latency`
        cycles later
    fold : with the address: `folded` is written in the word's place, `behind` cycles after a sum
        would be; both only in an accumulator with `behind`, which has nothing beside the address

    A word may be read again `spec.timing.RMW` cycles after its last read, not earlier, and `behind`
    more after a fold; in the cycle in which a fold is written no sum is. All goes by the lag of
    `total`.
    """

    address: Any
    live: Any
    clear: Any
    word: Any
    done_data: Any
    done_address: Any
    done_live: Any
    beside: Any
    done_beside: Any
    fold: Any
    folded: Any

    def __init__(self, ram: Ram, total: Skew, beside: int = 0, behind: int | None = None):
        self.behind, width, self.half = behind, ram.width, low_bits(ram.width)
        self.total, self.ram = total, ram
        self.held = int(total.lag > 0)  # with a lag there is a register before the memory
        self.latency = LEAD + 1 + total.lag + self.held
        bits = len(self.ram.raddr)
        super().__init__(
            {
                "address": In(bits),
                "live": In(1),
                "clear": In(1),
                "word": Out(width),
                "done_data": Out(width),
                "done_address": Out(bits),
                "done_live": Out(1),
                "beside": In(beside),
                "done_beside": Out(beside),
                **({} if behind is None else {"fold": In(1), "folded": In(width)}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = self.ram  # its ports are joined by the owner, who shares them
        half, high = self.half, self.ram.width - self.half
        old = Skew("old", half, high, lag=self.total.lag)
        upper = register("upper", signed(high))
        with m.If(delay(m, self.clear, LEAD - 1, "clear")):
            m.d.sync += [old.lo.eq(0), upper.eq(0)]
        with m.Else():
            m.d.sync += [old.lo.eq(self.ram.rdata[:half]), upper.eq(self.ram.rdata[half:])]
        m.d.comb += self.word.eq(Cat(old.lo, upper))
        delayed = Signal(signed(high))
        m.d.comb += delayed.eq(delay(m, upper, self.total.lag, "upper"))
        old.hi = delayed
        new = add(m, "new", old, self.total, high)
        whole = Cat(delay(m, new.lo, self.total.lag, "low"), new.hi)
        done = delay(m, whole, self.held, "done")
        if self.behind is not None:
            self._fold(m, done)
            return m
        back = late(m, Cat(self.address, self.live, self.beside), self.latency, "back")
        m.d.comb += [
            self.done_data.eq(done),
            Cat(self.done_address, self.done_live, self.done_beside).eq(back),
        ]
        return m

    def _fold(self, m: Module, done: Any) -> None:
        """What is written, and where: a sum, or what is folded. Which of them, is chosen in front
        of a register where they differ."""
        address, behind = self.address, int(self.behind or 0)
        back = late(m, Cat(address, self.live, self.fold), self.latency - behind, "back")
        then = delay(m, back, behind, "then")
        fold = then[-1]
        place = Mux(fold, then[: len(address)], back[: len(address)])
        place = delay(m, Cat(place, back[-2] | fold, fold), behind, "place")
        m.d.comb += [
            self.done_data.eq(Mux(place[-1], self.folded, done)),
            Cat(self.done_address, self.done_live).eq(place[:-1]),
        ]
