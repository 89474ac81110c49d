# SPDX-License-Identifier: Apache-2.0
"""Memories on the access bus: a read takes the memory's address, a write its write port."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal

from antevolt.hdl.core.bundles import FLAGS_REGION, TARGET_REGION
from antevolt.hdl.lib.lanes import Lanes
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.lib.registers import KEEP, delay, register
from antevolt.hdl.spec.contents import Contents, is_sealed
from antevolt.hdl.spec.memory_map import Region

__all__ = ["DECODE", "REPLY_LATENCY", "Tap", "any_of", "reply_latency"]

OWN = (Region.RATES, Region.OUTPUT, FLAGS_REGION, TARGET_REGION)
"""What INPUT and TARGET write; OUTPUT alone reads, and what it says."""

DECODE = 2  # cycles from an access at a tile until it acts there


def reply_latency(near: bool) -> int:
    """Cycles from an access at a tile to its word in the tile's reply."""
    return (0 if near else DECODE + 1) + Ram.latency + 1


REPLY_LATENCY = reply_latency(False)


def any_of(m: Module, answers: list[Any], step: int, name: str = "answer") -> Any:
    """The or of answers that come from memories all over a tile, behind `step` registers."""
    total: Any = Const(0)
    for answer in answers:
        total = total | answer
    return delay(m, total, step, name)


class Tap:
    """Joins the memories of one tile to the access bus at that tile.

    An access disturbs the one memory that it is for, and comes only while that one rests: a host's
    while no operation runs, the operations' own by the timetable. It is decoded in DECODE cycles
    before it acts: `access` here is the bus two registers later, `early` one; in a core that is
    near both are the bus. What a memory holds at power-up, `contents`, is found by the addresses
    that it has on the bus. Where these are sealed, only what the operations themselves ask for is
    selected.
    """

    def __init__(
        self,
        m: Module,
        bus: Any,
        unit: int | None,
        contents: Contents | None = None,
        near: bool = False,
    ):
        self.m, self.bus, self.unit, self.contents = m, bus, unit, contents
        self.early = self.access = bus
        self.step = 0 if near else 1
        self.sealed = is_sealed(contents)
        if not near:
            # a unit's are its own, since its memories may stand far from other units' of the tile
            own = unit is not None
            self.early, self.access = (
                Signal(bus.shape(), name=name, reset_less=True, attrs=KEEP if own else {})
                for name in ("access_early", "access_now")
            )
            # others' are nothing where nobody asks: so they equal none of the bus's next hops, with
            # which synthesis would share them across tiles
            asks = bus.read | bus.write
            given = bus.as_value() if own else Mux(asks, bus.as_value(), 0)
            m.d.sync += [self.early.eq(given), self.access.eq(self.early)]
        self.answers: list[Any] = []

    def selects(self, region: int, way: tuple[int, int] = (0, 0), also: Any = None) -> Any:
        """The access at hand is for this region and unit, and this one of interleaved memories;
        `also` asks something of `early`."""
        bus, (low, n) = self.bus, way
        if self.sealed and region not in OWN:
            return Const(0, 1)
        match = delay(self.m, bus.region == region, self.step, "of_region")
        if self.unit is not None:
            match = match & delay(self.m, bus.unit == self.unit, self.step, "of_unit")
        if low:
            match = match & (self.early.index[:low] == n)
        return delay(self.m, match if also is None else match & also, self.step, "selects")

    def join(
        self,
        region: Region,
        ram: Ram,
        raddr: Any,
        waddr: Any,
        wdata: Any,
        wen: Any,
        way: tuple[int, int] = (0, 0),
    ) -> None:
        """Share `ram` between its own ports, given, and the bus.

        `way` = (bits, n): the region interleaves 2^bits memories, this is number n of them. Where
        `wen` is 0, the bus alone writes, and nothing has to choose.
        """
        reads, write = (
            self.selects(region, way, also) for also in (self.early.read, self.early.write)
        )
        if self.sealed and region != Region.OUTPUT:
            reads = Const(0, 1)
        self._ports(ram, way[0], reads, write, write, raddr, waddr, wdata, wen)
        if self.contents is not None:
            ram.fill(self.contents.words(region, self.unit or 0, way))
        self.answer(reads, ram.rdata)

    def share(
        self, region: Region, lanes: Lanes, raddr: Any, waddr: Any, wdata: Any, wen: Any
    ) -> None:
        """As `join`, for the memories of a region that stand side by side; `wen` has a bit for
        each."""
        low = (lanes.count - 1).bit_length()
        reads, write = (
            self.selects(region, also=also) for also in (self.early.read, self.early.write)
        )
        one = Cat(self.selects(region, (low, n), self.early.write) for n in range(lanes.count))
        self._ports(lanes, low, reads, write, one, raddr, waddr, wdata, wen)
        for n in range(lanes.count):
            if self.contents is not None:
                lanes.fill(n, self.contents.words(region, self.unit or 0, (low, n)))
            own = self.selects(region, (low, n), self.early.read)
            self.answer(own, lanes.rdata.word_select(n, lanes.width))

    def _ports(
        self, memory: Ram | Lanes, low: int, reads: Any, write: Any, enables: Any,
        raddr: Any, waddr: Any, wdata: Any, wen: Any,
    ) -> None:  # fmt: skip
        """The ports of `join` and `share`: the bus, which `reads` or does `write` where `enables`
        says, goes before the memory's own."""
        index = self.access.index[low : low + len(memory.raddr)]
        data = self.access.data[: memory.width]
        alone = isinstance(wen, int) and not wen
        self.m.d.comb += [
            memory.raddr.eq(Mux(reads, index, raddr)),
            memory.waddr.eq(index if alone else Mux(write, index, waddr)),
            memory.wdata.eq(data if alone else Mux(write, data, wdata)),
            memory.wen.eq(enables if alone else enables | wen),
        ]

    def answer(self, reads: Any, rdata: Any) -> None:
        """Reply to a selected read with `rdata`, valid 2 cycles after the access."""
        name = f"tap{len(self.answers)}"
        chosen = delay(self.m, reads, 2, f"{name}_chosen")
        self.answers.append(Mux(chosen, rdata, 0))

    def reply(self, name: str, before: Any) -> Any:
        """The or of this tile's answers, and of the tile before it (a cycle earlier)."""
        out = register(name, before.shape())
        self.m.d.sync += out.eq(before | any_of(self.m, self.answers, self.step))
        return out
