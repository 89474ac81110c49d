# SPDX-License-Identifier: Apache-2.0
"""The array against its twin: both sweeps, several groups back to back, with and without tiles.

A driver of slots stands in for the sequencer, at the times of `spec.timing`.
Pauses are those between the slots of a FORWARD, whose sums may be made of several projections, and
between the groups of a BACK, which takes one column per cycle. There the ports hold anything; only
that a sum is of a FORWARD, `back` says all the while it lasts.
"""

from random import Random

import cocotb
import numpy as np
import pytest

from antevolt.hdl.core.array import Array
from antevolt.hdl.core.bundles import Slot
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.timing import BASE, FETCH, Timing
from antevolt.host.schedule import back_interval, forward_interval
from antevolt.host.words import signed
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from antevolt.sim.golden.array import back, forward, gradient
from flow import SOON, gaps

DEPTHS = {"w_depth": 64, "r_depth": 64, "state_depth": 64, "q_depth": 16}
MACHINES = {
    "1x1": Machine(formats=Formats(word=16), **DEPTHS),
    "1x1, words of 8 bits": Machine(formats=Formats(word=8), phi_log2=6, **DEPTHS),
    "3x3, words of 12 bits": Machine(
        rows=3, streams=3, tile_rows=2, tile_streams=2, formats=Formats(word=12), **DEPTHS
    ),
    "3x2": Machine(rows=3, streams=2, multipliers=5, **DEPTHS),
    "5x3 in tiles": Machine(
        rows=5, streams=3, contexts=2, tile_rows=2, tile_streams=2, multipliers=3, **DEPTHS
    ),
    "5x2 in tiles, a neuron per cycle": Machine(
        rows=5, streams=2, tile_rows=2, multipliers=5, **DEPTHS
    ),
    "7x1 in tiles, a neuron per cycle, paired": Machine(
        rows=7, tile_rows=3, multipliers=5, paired=True, **DEPTHS
    ),
    "2x2, near": Machine(
        rows=2, streams=2, tile_rows=2, tile_streams=2, spacing=12, near=True, **DEPTHS
    ),
    "3x2 in tiles, carries sums on": Machine(
        rows=3, streams=2, tile_rows=2, tile_streams=1, carry=True, **DEPTHS
    ),
    "3x2 in tiles, paired": Machine(
        rows=3, streams=2, tile_rows=2, tile_streams=1, carry=True, paired=True, **DEPTHS
    ),
    "4x2 in tiles, paired, two rows share a lane": Machine(
        rows=4, streams=2, tile_rows=2, carry=True, paired=True, apply_rows=2, **DEPTHS
    ),
    "2x1, near and paired": Machine(
        rows=2, tile_rows=2, spacing=12, near=True, paired=True, **DEPTHS
    ),
}
COLUMNS, GROUPS = 8, 3  # an odd number of columns in a back sweep is one of them
WEIGHTS, RATES, SOURCES = 7, 11, 5  # first pairs and first source neuron
RUNS = [(n, "none") for n in range(3)] + [(2 + n, idle) for n, idle in enumerate(STALLS) if n]
"""Seeds and the pauses that go with them."""
FREE = 60  # cycles after which nothing of a sweep is under way
RATES_PORT, LANE_PORT = ("rates_address", "rates_data"), ("lane_address", "lane_data")
VALID, FIRST, LEARN = 1, 2, 16


class Bench:
    """An array with random words in its memories."""

    def __init__(self, dut, seed, idle="none"):
        self.waits, self.noise = gaps(idle, seed, SOON), Random(seed)
        self.machine = m = Machine.from_json(values()["machine"])
        self.f, self.timing, self.layout = m.formats, Timing(m), Slot(m)
        self.cycles, self.draw = Cycles(dut), np.random.default_rng(seed)
        self.targets = m.rows * GROUPS
        self.w = self.numbers(self.targets, COLUMNS)
        self.r = self.numbers(m.streams, COLUMNS)
        self.e = self.numbers(m.streams, self.targets)
        self.flags = self.draw.choice(
            [VALID | LEARN, VALID | LEARN | FIRST, VALID, LEARN, 0], (m.streams, m.contexts)
        )

    def numbers(self, *shape):
        """Words of the whole range, its ends among them."""
        word = self.f.word
        found = self.draw.integers(-(1 << (word - 1)), 1 << (word - 1), shape)
        ends = self.draw.random(shape) < 0.1
        return np.where(ends, np.where(found < 0, -(1 << (word - 1)), (1 << (word - 1)) - 1), found)

    def pair(self, low, high):
        mask = (1 << self.f.word) - 1
        return int(low) & mask | (int(high) & mask) << self.f.word

    def row_tile(self, i):
        return i // self.machine.tile_rows

    def column_tile(self, k):
        return k // self.machine.tile_streams

    async def load(self):
        """Memories through the write ports of lanes and columns."""
        await self.cycles.reset()
        m, dut, play = self.machine, self.cycles.dut, Timeline(self.cycles)
        for k in range(m.streams):
            for t in range(m.contexts):
                getattr(dut, f"flags__{k}__{t}").value = int(self.flags[k, t])
            for p in range(COLUMNS // 2):
                play.set(p, f"rates_en__{k}", 1)
                play.set(p, f"rates_address__{k}", RATES + p)
                play.set(p, f"rates_data__{k}", self.pair(*self.r[k, 2 * p : 2 * p + 2]))
        for n in range(self.targets):
            i, g = n % m.rows, n // m.rows
            for p in range(COLUMNS // 2):
                at = g * COLUMNS // 2 + p
                play.set(at, f"lane_en__{i}", 1)
                play.set(at, f"lane_address__{i}", WEIGHTS + at)
                play.set(at, f"lane_data__{i}", self.pair(*self.w[n, 2 * p : 2 * p + 2]))
        await play.play()

    def masked(self, context, low, high):
        """Rates [S, COLUMNS] as a stream that starts reads them; masks per column parity."""
        rates = self.r.astype(float)
        starting = self.flags[:, context] & FIRST != 0
        for half, mask in enumerate((low, high)):
            rates[:, half::2][starting] *= 1 - mask
        return rates

    def fill(self, play, **quiet):
        """What passes by, beside strobes and these fields of a slot."""
        m, strobes = self.machine, {"en": 1}
        strobes |= {"fold": (1 << m.apply_rows) - 1} if m.carry else {}
        play.fill(["slot"], self.noise, quiet=packed(self.layout, **strobes, **quiet))
        for k in range(m.streams):
            play.fill([f"{port}__{k}" for port in ("e_in", *RATES_PORT)], self.noise)
        for i in range(m.rows):
            play.fill([f"{port}__{i}" for port in LANE_PORT], self.noise)

    def forward(self, play, start, context, low, high):
        """Queue a FORWARD; its end, and where the sums are to be seen."""
        m, pairs = self.machine, COLUMNS // 2
        interval, places = forward_interval(m, pairs), {}
        # the columns' command follows the last slot, and their first shift that command
        drained = self.timing.slot_to_command + FETCH + BASE - self.timing.drive
        for g in range(GROUPS):
            for p in range(pairs):
                start += next(self.waits)
                fields = {"en": 1, "first": p == 0, "last": p == pairs - 1, "context": context}
                fields |= {"weights": WEIGHTS + g * pairs + p, "rates": RATES + p}
                fields |= {"mask_low": low, "mask_high": high}
                play.set(start + g * interval + p, "slot", packed(self.layout, **fields))
            for k in range(m.streams):
                for i in range(m.rows):
                    at = start + g * interval + pairs - 1 + drained + self.column_tile(k)
                    at += i * m.interval
                    play.set(at - self.timing.ahead, f"d_shift__{k}", 1)
                    play.look(at, f"d_lo__{k}")
                    play.look(at + self.timing.lag, f"d_hi__{k}")
                    places[k, g * m.rows + i] = at
        return start + GROUPS * interval, places

    def sums(self, play, places):
        found = np.zeros((self.machine.streams, self.targets))
        high = self.f.accumulator - self.f.word
        for (k, n), at in places.items():
            upper = int(signed(play.seen[f"d_hi__{k}", at + self.timing.lag], high))
            found[k, n] = upper << self.f.word | play.seen[f"d_lo__{k}", at]
        return found

    def back(self, play, start, context, columns, fresh, masks):
        """Queue a BACK with q and G; returns its end."""
        m, interval = self.machine, back_interval(self.machine, columns, GROUPS, True)
        for g, first in self.groups(play, start, interval):
            for j in range(columns):
                weight = WEIGHTS + g * COLUMNS // 2 + j // 2
                fields = {"en": 1, "back": 1, "first": j == 0, "last": j == columns - 1}
                fields |= {"half": j % 2, "weights": weight, "rates": RATES + j // 2}
                fields |= {"gradients": 2 * weight + j % 2, "q": SOURCES + j, "context": context}
                fields |= {"q_live": 1, "q_clear": g == 0, "q_done": g == GROUPS - 1}
                fields |= {"g_live": 1, "g_clear": fresh, "mask_high": masks[j]}
                play.set(first + j, "slot", packed(self.layout, **fields))
        end = first + interval
        for at in range(end + FREE):
            for k in range(m.streams):
                for port in ("q_live", "q_neuron", "q_data", "q_context"):
                    play.look(at, f"{port}__{k}")
        return end

    def both(self, play, start, context, columns, fresh, masks):
        """Queue a BACK that only sums gradients, a pair of columns per slot; returns its end.

        What its elements make towards q, nobody takes."""
        pairs, interval = -(-columns // 2), back_interval(self.machine, columns, GROUPS, False)
        for g, first in self.groups(play, start, interval):
            for p in range(pairs):
                weight, low = WEIGHTS + g * COLUMNS // 2 + p, masks[2 * p]
                fields = {"en": 1, "back": 1, "both": 1, "first": p == 0, "last": p == pairs - 1}
                fields |= {"half": 2 * p + 1 == columns, "weights": weight, "rates": RATES + p}
                fields |= {"gradients": 2 * weight, "context": context, "g_live": 1}
                fields |= {"g_clear": fresh, "mask_low": low, "mask_high": [*masks, 0][2 * p + 1]}
                play.set(first + p, "slot", packed(self.layout, **fields))
        return first + interval

    def groups(self, play, start, interval):
        """Queue the errors of a BACK; its groups, each with its first slot."""
        m = self.machine
        ahead, push = self.timing.lead, self.timing.push
        for g in range(GROUPS):
            start += next(self.waits)
            first = start + ahead + g * interval
            for n in range(m.rows):
                for k in range(m.streams):
                    # at the columns a push is one hop and the memory of e late
                    at = first - ahead + push * n + 1 + self.column_tile(k) + 2
                    play.set(at, f"e_shift__{k}", 1)
                    play.set(at, f"e_in__{k}", self.e[k, g * m.rows + n])
            yield g, first

    def swept(self, context, masks):
        """Rates [S, columns] of a BACK, a mask for each column: zero for a stream that starts, and
        for one that does not learn."""
        rates, flags = self.r[:, : len(masks)].astype(float), self.flags[:, context]
        rates[flags & FIRST != 0] *= 1 - masks
        rates[flags & (VALID | LEARN) != VALID | LEARN] = 0
        return rates

    def q(self, play, k, context):
        """q words of column k in the order in which they came."""
        at = sorted(cycle for (port, cycle), v in play.seen.items() if port == f"q_live__{k}" and v)
        assert {play.seen[f"q_context__{k}", cycle] for cycle in at} == {context}
        neurons = [play.seen[f"q_neuron__{k}", cycle] for cycle in at]
        words = [play.seen[f"q_data__{k}", cycle] for cycle in at]
        return neurons, signed(words, self.f.q.width).tolist()

    async def gradients(self):
        """All G words through the lanes, read as an APPLY reads them: [targets, COLUMNS]."""
        m, play = self.machine, Timeline(self.cycles)
        for n in range(GROUPS * COLUMNS):
            fields = {"back": 1, "gradients": 2 * WEIGHTS + n}
            play.set(n, "slot", packed(self.layout, **fields))
            for i in range(m.rows):
                play.look(n + self.timing.gradient + self.row_tile(i), f"lane_gradient__{i}")
        await play.play()
        found = np.zeros((self.targets, COLUMNS))
        for (port, at), value in play.seen.items():
            i = int(port.rsplit("_", 1)[1])
            n = at - self.timing.gradient - self.row_tile(i)
            found[n // COLUMNS * m.rows + i, n % COLUMNS] = signed(value, self.f.g.width)
        return found


@cocotb.test()
@cocotb.parametrize((("seed", "idle"), RUNS))
async def forward_sweeps(dut, seed, idle):
    """Sweeps, one directly behind the other, or with pauses."""
    bench = Bench(dut, seed, idle)
    await bench.load()
    play, kept, start = Timeline(bench.cycles), [], 4
    for low, high in ((0, 0), (1, 0), (1, 1)):
        context = int(bench.draw.integers(bench.machine.contexts))
        start, places = bench.forward(play, start, context, low, high)
        start += bench.machine.rows * bench.machine.interval  # the drain ends
        kept.append((places, forward(bench.w.astype(float), bench.masked(context, low, high))))
    play.fill([f"e_shift__{k}" for k in range(bench.machine.streams)], bench.noise)
    bench.fill(play, back=1)
    await play.play()
    for places, expected in kept:
        assert bench.sums(play, places).tolist() == expected.tolist()


@cocotb.test()
@cocotb.parametrize((("seed", "idle"), RUNS), columns=[COLUMNS, COLUMNS - 1])
async def back_sweeps(dut, seed, idle, columns):
    """q, and G over two sweeps: the first starts the sums anew."""
    bench = Bench(dut, seed, idle)
    m, f, total = bench.machine, bench.f, 0
    await bench.load()
    for fresh in (True, False):
        bench.e = bench.numbers(m.streams, bench.targets)
        context = int(bench.draw.integers(m.contexts))
        masks = bench.draw.integers(0, 2, columns)
        play = Timeline(bench.cycles)
        bench.back(play, 4, context, columns, fresh, masks)
        bench.fill(play)
        await play.play()
        e, rates = bench.e.astype(float), bench.swept(context, masks)
        expected = back(bench.w[:, :columns].astype(float), e, f.q_drop)
        for k in range(m.streams):
            neurons, words = bench.q(play, k, context)
            assert neurons == list(range(SOURCES, SOURCES + columns))
            assert words == expected[k].astype(int).tolist()
        total = total + gradient(e, rates, f.g_drop)
        found = await bench.gradients()
        assert found[:, :columns].tolist() == total.tolist()


@cocotb.test()
@cocotb.parametrize((("seed", "idle"), RUNS), columns=[COLUMNS, COLUMNS - 1])
async def sweeps_of_gradients_alone(dut, seed, idle, columns):
    """Pairs of columns, and behind them single ones, which add to the same sums."""
    bench = Bench(dut, seed, idle)
    m, f, total = bench.machine, bench.f, 0
    if not m.paired:
        return
    await bench.load()
    for fresh, sweep in ((True, bench.both), (False, bench.both), (False, bench.back)):
        bench.e = bench.numbers(m.streams, bench.targets)
        context = int(bench.draw.integers(m.contexts))
        masks = bench.draw.integers(0, 2, columns)
        play = Timeline(bench.cycles)
        sweep(play, 4, context, columns, fresh, masks)
        bench.fill(play)
        await play.play()
        total = total + gradient(bench.e.astype(float), bench.swept(context, masks), f.g_drop)
        found = await bench.gradients()
        assert found[:, :columns].tolist() == total.tolist()
        if columns % 2 and fresh:  # the column beside the last one starts anew as well
            assert not found[:, columns:].any()


@cocotb.test()
async def sums_are_carried_on(dut):
    """A slot with `fold` reads a sum, and puts in its place what the lane makes of it; in the rows
    that the slot says, of those that share a lane."""
    bench = Bench(dut, 5)
    m, f = bench.machine, bench.f
    if not m.carry:
        return
    await bench.load()
    play = Timeline(bench.cycles)
    bench.back(play, 4, 0, COLUMNS, True, [0] * COLUMNS)
    await play.play()
    before = await bench.gradients()
    wide = 1 << f.g.width - 1
    left = bench.draw.integers(-wide, wide, (bench.targets, COLUMNS))
    chosen = 1 << bench.draw.integers(0, m.apply_rows, GROUPS * COLUMNS)
    play, folded = Timeline(bench.cycles), bench.draw.random(GROUPS * COLUMNS) < 0.8
    for n in np.flatnonzero(folded).tolist():
        fields = {"back": 1, "gradients": 2 * WEIGHTS + n, "fold": int(chosen[n])}
        play.set(n, "slot", packed(bench.layout, **fields))
        for i in range(m.rows):
            at = n + bench.timing.gradient + bench.row_tile(i)
            play.look(at, f"lane_gradient__{i}")
            new = left[n // COLUMNS * m.rows + i, n % COLUMNS]
            play.set(at + bench.timing.fold, f"lane_folded__{i}", int(new))
    await play.play()
    turns = np.where(folded, chosen, 0).reshape(GROUPS, COLUMNS).repeat(m.rows, axis=0)
    here = turns >> (np.arange(bench.targets) % m.rows % m.apply_rows)[:, None] & 1 == 1
    found = await bench.gradients()
    assert found.tolist() == np.where(here, left, before).tolist()
    for (port, at), value in play.seen.items():
        i = int(port.rsplit("_", 1)[1])
        n = at - bench.timing.gradient - bench.row_tile(i)
        old = before[n // COLUMNS * m.rows + i, n % COLUMNS]
        assert signed(value, f.g.width) == old


@cocotb.test()
async def sweeps_in_turns(dut):
    """FORWARD during the end of a BACK: the drain and the sums of q do not disturb each other."""
    bench = Bench(dut, 9)
    m, f = bench.machine, bench.f
    await bench.load()
    play = Timeline(bench.cycles)
    end = bench.back(play, 4, 0, COLUMNS, True, [0] * COLUMNS)
    _, places = bench.forward(play, end, 0, 0, 0)
    await play.play()
    sums = forward(bench.w.astype(float), bench.masked(0, 0, 0))
    assert bench.sums(play, places).tolist() == sums.tolist()
    expected = back(bench.w.astype(float), bench.e.astype(float), f.q_drop)
    for k in range(m.streams):
        assert bench.q(play, k, 0)[1] == expected[k].astype(int).tolist()
    learns = bench.flags[:, 0] & (VALID | LEARN) == VALID | LEARN
    rates = bench.r.astype(float) * learns[:, None]
    found = await bench.gradients()
    assert found.tolist() == gradient(bench.e.astype(float), rates, f.g_drop).tolist()


@pytest.mark.parametrize("name", MACHINES)
def test_array(bench, name):
    bench(Array(MACHINES[name]), machine=MACHINES[name].to_json())
