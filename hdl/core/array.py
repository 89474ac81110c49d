# SPDX-License-Identifier: Apache-2.0
"""The R x S array with its weight, gradient, activity and q memories."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.accumulator import Accumulator
from antevolt.hdl.core.bundles import Access, Reply, Slot, bits, flags
from antevolt.hdl.core.element import Element
from antevolt.hdl.core.moments import Moments
from antevolt.hdl.core.tap import Tap, any_of
from antevolt.hdl.lib.late import late
from antevolt.hdl.lib.ram import Ram, memory
from antevolt.hdl.lib.registers import delay, hop, hops, register
from antevolt.hdl.lib.skew import Skew, add, hold, low_bits, tree
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.timing import LEAD, NORMAL, PRODUCT, Timing

__all__ = ["Array"]


class Array(wiring.Component):
    """Skewed outer products: weights hop across the streams, activities down the rows.

    Elements stand in tiles; operands, flags and addresses hop from tile to tile through one
    register, so that tile (t, c) works t + c cycles after the corner and no wire is longer than a
    tile. Sums over rows (q) and over streams (G) are adder trees inside a tile and chains from tile
    to tile, hopping in step with the operands.

        slot 0 | address 1 + t | word 3 | half chosen 4 | operand 5 + t + c | product 10 | sum 12

    Members
    -------
    slot : one per cycle; between the slots of a FORWARD sum `back` stays 0, or elements take e
    flags[k] : of stream k, static during a step, one set per context
    access[k] : the access bus at column k;  access_rows: its head for the rows
    reply_rows, reply_rates[k] : answers (`tap.Tap`)
    rates_*[k] : write port of column k's activity memory
    e_in[k], e_shift[k], d_shift[k] : chains, at column k's time
    d_lo[k], d_hi[k] : row 0's drained sum
    q_data[k], q_neuron[k], q_context[k], q_live[k] : finished q words
    lane_* : per row, what the apply lane needs: gradient word, weight word, and its write port;
             lane_folded, where sums are carried on: the gradient word `Timing.fold` later
    moments : per row, where there are some, its own component with ports for the lane
    """

    slot: Any
    flags: Any
    access: Any
    access_rows: Any
    reply_rows: Any
    rates_data: Any
    rates_address: Any
    rates_en: Any
    e_in: Any
    e_shift: Any
    d_shift: Any
    d_lo: Any
    d_hi: Any
    q_data: Any
    q_neuron: Any
    q_live: Any
    q_context: Any
    lane_gradient: Any
    lane_weight: Any
    lane_data: Any
    lane_address: Any
    lane_en: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine, self.timing, self.contents = machine, Timing(machine), contents
        m, f = machine, machine.formats
        rows, streams, pair = m.rows, m.streams, 2 * f.word
        super().__init__(
            {
                "slot": In(Slot(m)),
                "flags": In(flags).array(streams, m.contexts),
                "access": In(Access()).array(streams),
                "access_rows": In(Access()),
                "reply_rows": Out(Reply()),
                "reply_rates": Out(pair).array(streams),
                "rates_data": In(pair).array(streams),
                "rates_address": In(bits(m.r_depth)).array(streams),
                "rates_en": In(1).array(streams),
                "e_in": In(signed(f.word)).array(streams),
                "e_shift": In(1).array(streams),
                "d_shift": In(1).array(streams),
                "d_lo": Out(f.word).array(streams),
                "d_hi": Out(signed(f.accumulator - f.word)).array(streams),
                "q_data": Out(f.q.width).array(streams),
                "q_neuron": Out(bits(m.state_depth)).array(streams),
                "q_live": Out(1).array(streams),
                "q_context": Out(2).array(streams),
                "lane_gradient": Out(f.g.width).array(rows),
                "lane_weight": Out(signed(f.word)).array(rows),
                "lane_data": In(pair).array(rows),
                "lane_address": In(bits(m.w_depth)).array(rows),
                "lane_en": In(1).array(rows),
                **({"lane_folded": In(f.g.width).array(rows)} if m.carry else {}),
            }
        )
        self.elements = {
            (i, k): Element(f, self.timing.lag, m.paired)
            for i in range(rows)
            for k in range(streams)
        }
        self.weights = [memory(m, pair, m.w_depth) for _ in range(rows)]
        self.rates = [memory(m, pair, m.r_depth) for _ in range(streams)]
        self.moments = [Moments(m) for _ in range(rows if m.moments else 0)]

    @property
    def row_tiles(self) -> list[range]:
        n, rows = self.machine.tile_rows, self.machine.rows
        return [range(t, min(rows, t + n)) for t in range(0, rows, n)]

    @property
    def column_tiles(self) -> list[range]:
        n, streams = self.machine.tile_streams, self.machine.streams
        return [range(c, min(streams, c + n)) for c in range(0, streams, n)]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.both = self.slot.both if self.machine.paired else Const(0, 0)
        for (i, k), element in self.elements.items():
            m.submodules[f"element{i}_{k}"] = element
        self._operands(m)
        self._control(m)
        self._chains(m)
        self._sum_q(m)
        self._sum_g(m)
        return m

    def _operands(self, m: Module) -> None:
        """Weight and activity words, one register per hop."""
        slot, word = self.slot, self.machine.formats.word
        down = hops(
            m, Cat(slot.weights, slot.back & slot.half, slot.back), self.timing.tiles_down, "w"
        )
        depth = bits(self.machine.w_depth)
        for t, rows in enumerate(self.row_tiles):
            odd = delay(m, down[t][depth], Ram.latency, f"w_odd{t}", keep=True)
            for i in rows:
                m.submodules[f"weights{i}"] = ram = self.weights[i]
                pair, data = register(f"w{i}", 2 * word), ram.rdata
                m.d.sync += pair.eq(Cat(Mux(odd, data[word:], data[:word]), data[word:]))
                m.d.comb += self.lane_weight[i].eq(pair[:word])
                for c, value in enumerate(hops(m, pair, self.timing.tiles_across, f"w{i}")):
                    for k in self.column_tiles[c]:
                        m.d.comb += self.elements[i, k].w.eq(value)
        self._weight_addresses(m, [wires[:depth] for wires in down])
        across = hops(
            m,
            Cat(
                *(slot.rates, slot.back, slot.half, slot.mask_low, slot.mask_high),
                *(slot.en, slot.context, self.both),
            ),
            self.timing.tiles_across,
            "r",
        )
        depth = bits(self.machine.r_depth)
        for c, columns in enumerate(self.column_tiles):
            for k in columns:
                pair = self._rates(m, k, across[c][:depth], across[c][depth:])
                for t, value in enumerate(hops(m, pair, self.timing.tiles_down, f"r{k}")):
                    for i in self.row_tiles[t]:
                        m.d.comb += self.elements[i, k].r.eq(value)

    def _weight_addresses(self, m: Module, addresses: list[Any]) -> None:
        """Weight memories between sweeps, apply lanes and the access bus."""
        self.row_taps: list[Tap] = []
        access = [self.access_rows]
        if not self.machine.near:
            access = hops(m, self.access_rows, self.timing.tiles_down, "access")
        for t, rows in enumerate(self.row_tiles):
            for i in rows:
                tap = Tap(m, access[t], i, self.contents, self.machine.near)
                tap.join(
                    Region.WEIGHTS,
                    self.weights[i],
                    addresses[t],
                    self.lane_address[i],
                    self.lane_data[i],
                    self.lane_en[i],
                )
                self.row_taps.append(tap)

    def _rates(self, m: Module, k: int, address: Any, control: Any) -> Any:
        """Activity pair of column k, masked for a stream that starts or does not learn, and where
        there is no slot: sums of several projections pause between them."""
        word = self.machine.formats.word
        back, half, mask_low, mask_high, en = (control[n] for n in range(5))
        context, both = control[5:7], control[7:].any()
        m.submodules[f"rates{k}"] = ram = self.rates[k]
        tap = Tap(m, self.access[k], k, self.contents, self.machine.near)
        tap.join(
            Region.RATES,
            ram,
            address,
            self.rates_address[k],
            self.rates_data[k],
            self.rates_en[k],
        )
        m.d.comb += self.reply_rates[k].eq(tap.answers[0])
        first, learns = Signal(name=f"first{k}"), Signal(name=f"learns{k}")
        for n, own in enumerate(self.flags[k]):
            with m.If(context == n):
                m.d.comb += [first.eq(own.first), learns.eq(own.learn & own.valid)]
        silent = back & ~learns
        none_low = first & mask_low | both & silent | ~en
        none_high = first & mask_high | silent | both & half | ~en
        clear_low = delay(m, none_low, Ram.latency, f"r_clear_low{k}")
        clear_high = delay(m, none_high, Ram.latency, f"r_clear_high{k}")
        swap = delay(m, back & ~half & ~both, Ram.latency, f"r_swap{k}", keep=True)
        low, high = register(f"r_low{k}", word), register(f"r_high{k}", word)
        m.d.sync += [
            low.eq(Mux(clear_low, 0, ram.rdata[:word])),
            high.eq(Mux(clear_high, 0, Mux(swap, ram.rdata[:word], ram.rdata[word:]))),
        ]
        return Cat(low, high)

    def _control(self, m: Module) -> None:
        """Flags travel with the data: operand flags at 5, clear with the first sum, load after."""
        slot, down, across = self.slot, self.timing.tiles_down, self.timing.tiles_across
        forward = slot.en & ~slot.back
        take = Cat(slot.back, ~slot.en | ~slot.back | slot.first, self.both)
        last = delay(m, forward & slot.last, 1, "last")
        take = delay(m, take, 4, "operand")
        operand = [take, *hops(m, take, down - 1, "operand")]
        total = hops(m, delay(m, Cat(forward & slot.first, last), PRODUCT, "total"), down, "total")
        for t, rows in enumerate(self.row_tiles):
            totals = [total[t], *hops(m, total[t], across - 1, f"total{t}")]
            for i in rows:
                # their own for each element: much hangs on them, and a multiplier behind that
                before = operand[t]
                for c, columns in enumerate(self.column_tiles):
                    own = [hop(m, before, f"operand{i}_{k}") for k in columns]
                    for k, operands in zip(columns, own, strict=True):
                        element = self.elements[i, k]
                        m.d.comb += [
                            Cat(element.back, element.take).eq(operands),
                            *([element.both.eq(operands[2])] if self.machine.paired else []),
                            Cat(element.clear, element.load).eq(totals[c]),
                        ]
                    before = own[0]

    def _chains(self, m: Module) -> None:
        """e and drained sums move towards row 0, their enables away from it.

        A tile moves a cycle after the one above it. Where a chain may move every cycle, what that
        one takes has still to come to this tile's first row, if it moves: it is in the second.
        """
        down, every = self.timing.tiles_down, self.machine.interval == 1
        for k in range(self.machine.streams):
            shift = hop(m, Cat(self.e_shift[k], self.d_shift[k]), f"shift{k}")
            shifts = [shift, *hops(m, shift, down - 1, f"shift{k}")]
            entering = hops(m, self.e_in[k], down, f"e{k}")[-1]
            later = [
                delay(m, move[1], self.timing.lag, f"later{k}") for move in shifts[1:] if every
            ]
            for t, rows in enumerate(self.row_tiles):
                for i in rows:
                    element, below = self.elements[i, k], self.elements.get((i + 1, k))
                    m.d.comb += Cat(element.e_shift, element.d_shift).eq(shifts[t])
                    if below is None:
                        m.d.comb += element.e_in.eq(entering)
                        continue
                    behind = every and i == rows[-1]
                    e, d = shifts[t + 1] if behind else Const(0, 2)
                    high = later[t] if behind else Const(0)
                    m.d.comb += [
                        element.e_in.eq(Mux(e, below.e_in, below.e)),
                        element.d_in_lo.eq(Mux(d, below.d_in_lo, below.d_lo)),
                        element.d_in_hi.eq(Mux(high, below.d_in_hi, below.d_hi)),
                    ]
            top = self.elements[0, k]
            m.d.comb += [self.d_lo[k].eq(top.d_lo), self.d_hi[k].eq(top.d_hi)]

    def _reduce(self, m: Module, name: str, width: int, tiles: list[list[Skew]]) -> Skew:
        """Sum over tiles on the way, each a tree, equally deep so that they stay in step; `width`
        is that of the sum's memory. One term is no sum: its increment stays pending."""
        if len(tiles) == len(tiles[0]) == 1:
            return hold(m, f"{name}_chain0", tiles[0][0])
        levels = max((len(terms) - 1).bit_length() for terms in tiles)
        total: Skew | None = None
        for n, terms in enumerate(tiles):
            part, depth = tree(m, f"{name}_tile{n}", terms)
            for level in range(depth, levels):
                part = hold(m, f"{name}_tile{n}_wait{level}", part)
            high = max(len(part.hi), len(total.hi) if total else 0) + 1
            limit = width - low_bits(width)
            total = add(m, f"{name}_chain{n}", total, part, min(high, limit))
        if total is None:
            raise RuntimeError("nothing to sum")
        return total

    def _sum_q(self, m: Module) -> None:
        slot, machine = self.slot, self.machine
        command = Cat(slot.q, slot.q_clear, slot.en & slot.q_live, slot.q_done, slot.context)
        ahead = late(m, command, self.timing.q_address - 1, "q_ahead")
        at = hops(m, ahead, self.timing.tiles_across, "q")
        depth = bits(machine.state_depth)
        for c, columns in enumerate(self.column_tiles):
            for k in columns:
                terms = [[self.elements[i, k].q_part for i in rows] for rows in self.row_tiles]
                width = machine.formats.q.width
                total = self._reduce(m, f"q{k}", width, terms)
                ram = memory(machine, width, machine.q_depth)
                low = min(depth, bits(machine.q_depth))  # q may be of a part of the neurons
                sums = Accumulator(ram, total, beside=3 + depth - low)
                m.submodules[f"q{k}"] = sums
                address, clear, live, done = (
                    at[c][:depth],
                    at[c][depth],
                    at[c][depth + 1],
                    at[c][depth + 2],
                )
                context = at[c][depth + 3 :]
                m.d.comb += [
                    sums.address.eq(address),
                    Cat(sums.clear, sums.live).eq(Cat(clear, live)),
                    sums.ram.raddr.eq(sums.address),
                    sums.ram.waddr.eq(sums.done_address),
                    sums.ram.wdata.eq(sums.done_data),
                    sums.ram.wen.eq(sums.done_live),
                    self.q_data[k].eq(sums.done_data),
                    sums.beside.eq(Cat(done, context, address[low:])),
                    self.q_neuron[k].eq(Cat(sums.done_address[:low], sums.done_beside[3:])),
                    self.q_live[k].eq(sums.done_live & sums.done_beside[0]),
                    self.q_context[k].eq(sums.done_beside[1:3]),
                ]

    def _sum_g(self, m: Module) -> None:
        slot, machine = self.slot, self.machine
        fold = slot.fold if machine.carry else Const(0, 0)
        command = Cat(slot.gradients, slot.g_clear, slot.en & slot.g_live, self.both, fold)
        ahead = late(m, command, self.timing.g_address - 1, "g_ahead")
        at = hops(m, ahead, self.timing.tiles_down, "g")
        depth = 1 + bits(machine.w_depth)
        self._moments(m, ahead[:depth])
        reply: Any = self.reply_rows.shape().const({}).as_value()
        for t, rows in enumerate(self.row_tiles):
            for i in rows:
                banks = self._banks(m, i, at[t])
                for n, sums in enumerate(banks):
                    self.row_taps[i].join(
                        Region.GRADIENTS,
                        sums.ram,
                        sums.address,
                        sums.done_address,
                        sums.done_data,
                        sums.done_live,
                        way=(len(banks) - 1, n),
                    )
            out = register(f"reply{t}", len(reply))
            m.d.sync += out.eq(reply | self._answers(m, rows))
            reply = out
        m.d.comb += self.reply_rows.as_value().eq(reply)

    def _answers(self, m: Module, rows: range) -> Any:
        """Of a tile; where it is large, of two of its rows and then of these pairs."""
        step, own = int(not self.machine.near), self.row_taps
        if not self.timing.gathered:
            return any_of(m, [one for i in rows for one in own[i].answers], step)
        pairs = [rows[n : n + 2] for n in range(0, len(rows), 2)]
        some = [any_of(m, [one for i in pair for one in own[i].answers], step) for pair in pairs]
        return any_of(m, some, step)

    def _banks(self, m: Module, i: int, at: Any) -> list[Accumulator]:
        """Gradient sums of row i; where sweeps may be paired, those of even and of odd columns
        apart, each of which goes by the other's slots."""
        machine, ways = self.machine, 1 + self.machine.paired
        half, depth, width = at[0], 1 + bits(machine.w_depth), machine.formats.g.width
        folds = at[depth + 2 + machine.paired :]
        behind = self.timing.shared if machine.carry else None
        banks = []
        for n, suffix in enumerate(("", "_odd")[:ways]):
            of_bank = "g_part" if n == ways - 1 else "g_even"
            terms = [
                [getattr(self.elements[i, k], of_bank) for k in cols] for cols in self.column_tiles
            ]
            total = self._reduce(m, f"g{i}{suffix}", width, terms)
            ram = memory(machine, width, 2 * machine.w_depth // ways)
            sums = Accumulator(ram, total, behind=behind)
            m.submodules[f"gradients{i}{suffix}"] = sums
            own = at[depth + 2] | (half == n) if machine.paired else 1
            m.d.comb += [
                sums.address.eq(at[machine.paired : depth]),
                *(sums.clear.eq(at[depth]), sums.live.eq(at[depth + 1] & own)),
            ]
            if machine.carry:
                fold = folds[i % machine.apply_rows]
                m.d.comb += [
                    sums.fold.eq(fold & (half == n) if machine.paired else fold),
                    sums.folded.eq(self.lane_folded[i]),
                ]
            banks.append(sums)
        word = banks[0].word
        if machine.paired:  # chosen before the register, since the lane begins with a sum
            odd = delay(m, half, LEAD - 1, f"g_half{i}")
            word = register(f"g_word{i}", width)
            m.d.sync += word.eq(Mux(odd, banks[1].ram.rdata, banks[0].ram.rdata))
        m.d.comb += self.lane_gradient[i].eq(word)
        return banks

    def _moments(self, m: Module, ahead: Any) -> None:
        """Moments are read as gradients are, NORMAL later."""
        if self.moments:
            later = late(m, ahead, NORMAL, "moment")
            at = hops(m, later, self.timing.tiles_down, "moment")
            for t, rows in enumerate(self.row_tiles):
                for i in rows:
                    m.submodules[f"moments{i}"] = moments = self.moments[i]
                    m.d.comb += moments.raddr.eq(at[t])
                    moments.tap(self.row_taps[i])
