# SPDX-License-Identifier: Apache-2.0
"""The filter unit against its twin: whole range, both modes, any number of multipliers."""

from collections import Counter
from itertools import islice

import cocotb
import numpy as np
import pytest

from access_bus import WRITTEN
from antevolt.hdl.core.bundles import Access, coefficient
from antevolt.hdl.core.filter import EVENTS, FilterUnit
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.timing import (
    BASE,
    FETCH,
    FETCH_LATE,
    NARROW,
    STATE,
    WIDE,
    Timing,
    filter_schedule,
)
from antevolt.host.phi_tables import table
from antevolt.host.quantize import coefficient as coefficient_word
from antevolt.host.quantize import shifts
from antevolt.host.words import signed
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import STALLS, Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from antevolt.sim.golden import filter as golden
from antevolt.sim.golden.arithmetic import factors, lookup
from flow import gaps

NEURONS = 500
PHI = ("tanh", "softplus")
EVENT_AT = {  # product, and latency of its result
    "d": (0, NARROW), "u": (4, WIDE), "p": (1, NARROW),
    "beta": (0, NARROW), "delta": (1, NARROW), "v": (3, WIDE), "e": (2, NARROW),
}  # fmt: skip


class Neurons:
    """Operands of a run, [NEURONS] each, and what the model makes of them."""

    def __init__(self, machine, words, draw):
        f = self.f = machine.formats
        self.error = draw.integers(0, 2, NEURONS).astype(bool)
        self.valid = draw.random(NEURONS) < 0.9
        self.table = draw.integers(0, len(PHI) + 1, NEURONS)
        self.state, self.s = (self.draw(draw, f.u.width) for _ in range(2))
        self.partner, self.q = (self.draw(draw, f.word) for _ in range(2))
        self.mantissa = draw.integers(-(1 << (f.word - 1)), 1 << (f.word - 1), (NEURONS, 3))
        self.mantissa[draw.random((NEURONS, 3)) < 0.15] = 0
        self.keep = draw.random(NEURONS) < (0.5 if filter_schedule(machine).dense else 0)
        self.shift = draw.integers(0, 64, (NEURONS, 3))
        usual = draw.random((NEURONS, 3)) < 0.7  # around 1
        self.shift[usual] = 10 + draw.integers(-3, 6, usual.sum())
        scale = coefficient_word("scale", 1, shifts(f)[0], f)
        self.mantissa[self.keep, 0] = scale & (1 << f.word) - 1
        self.shift[self.keep, 0] = scale >> f.word
        far = (draw.random(NEURONS) < 0.1) & ~self.keep  # differences that leave the word
        beyond = np.where(self.q < 0, self.q + f.r.raw_min, self.q + f.r.raw_max + 1)
        self.whole = np.where(far, beyond, self.q)
        self.q = np.clip(self.whole, f.r.raw_min, f.r.raw_max)
        packed_words = self.shift << f.word | self.mantissa & ((1 << f.word) - 1)
        self.factors = factors(packed_words, f)
        self.tables = [
            golden.Tables(*(lookup(w, f, machine.phi_log2) for w in pair)) for pair in words
        ]

    @staticmethod
    def draw(draw, bits):
        """Of all magnitudes, and some just below the top, where rounding alone saturates."""
        half = 1 << (bits - 1)
        whole = draw.integers(-half, half, NEURONS)
        whole >>= draw.integers(0, bits // 2, NEURONS) * draw.integers(0, 2, NEURONS)
        top = draw.random(NEURONS) < 0.15
        return np.where(top, half - 1 - draw.integers(0, min(1 << 10, half), NEURONS), whole)

    def expected(self, n):
        """(result, slope, state, saturations) of neuron n; slope None where it is none."""
        f, events = self.f, []

        def count(kind, limited):
            if limited is not None and limited.any():
                events.append(kind)

        def number(x):
            return np.array([[float(x)]])

        c = tuple(self.factors[n : n + 1, which] for which in range(3))
        if self.error[n]:
            v, e = golden.error(
                number(self.whole[n]), number(self.partner[n]), number(self.state[n]), c, f, count
            )
            return int(e.item()), None, int(v.item()), events
        tables = self.tables[self.table[n] - 1] if self.table[n] else None
        u, r, slope = golden.membrane(
            number(self.s[n]), number(self.partner[n]), number(self.state[n]), c, tables, f, count
        )
        return int(r.item()), int(slope.item()), int(u.item()), events


async def load_tables(cycles, machine, words):
    for index, word in enumerate(np.concatenate(words).reshape(-1).tolist()):
        cycles.dut.access.value = packed(
            Access(), write=1, region=Region.PHI, index=index, data=word
        )
        await cycles.step()
    cycles.dut.access.value = 0
    await cycles.run(WRITTEN)


@cocotb.test()
@cocotb.parametrize(idle=STALLS)
async def equals_the_model(dut, idle):
    machine = Machine.from_json(values()["machine"])
    f, schedule = machine.formats, filter_schedule(machine)
    # seeds with which each kind saturates
    draw = np.random.default_rng(STALLS.index(idle) % 2 + (2 if f.word == 8 else 0))
    cycles, c_layout = Cycles(dut), coefficient(machine)
    await cycles.reset()
    words = [table(phi, f, machine.phi_log2) for phi in PHI]
    await load_tables(cycles, machine, words)
    neurons = Neurons(machine, words, draw)
    # a multiplier's starts differ modulo the period, so neurons start on its grid
    periods = [1 + wait for wait in islice(gaps(idle), NEURONS)]
    falls = np.diff(neurons.error.astype(int), append=1) < 0  # from an ERROR to a MEMBRANE
    apart = schedule.period * np.array(periods) + schedule.gap * np.roll(falls, 1)
    starts = np.cumsum(apart).tolist()
    play = Timeline(cycles)
    for n, at in enumerate(starts):
        play.set(at, "start", 1)
        c = [
            packed(c_layout, mantissa=int(m) & ((1 << f.word) - 1), shift=int(shift))
            for m, shift in zip(neurons.mantissa[n], neurons.shift[n], strict=True)
        ]
        for more in range(Timing(machine).rest + 1):
            play.set(at + more, "error", neurons.error[n])
            play.set(at + more, "valid", neurons.valid[n])
            play.set(at + more, "table", neurons.table[n])
            if schedule.dense:
                play.set(at + more, "keep", neurons.keep[n])
            play.set(at + more, "c", sum(word << k * c_layout.size for k, word in enumerate(c)))
            play.set(at + more + STATE, "state", neurons.state[n])
            play.set(at + more + STATE, "partner", neurons.partner[n])
        if neurons.keep[n]:
            play.set(at + schedule.fetch + FETCH_LATE, "q_late", int(neurons.q[n]))
        else:
            play.set(at + FETCH, "q", neurons.q[n])
        play.set(at + FETCH, "q_far", neurons.q[n] != neurons.whole[n])
        play.set(at + FETCH + BASE - 1, "s", neurons.s[n])
        for port in ("result", "slope", "state_out"):
            play.look(at + schedule.done, port)
    for at in range(starts[-1] + schedule.done + 4):
        play.look(at, "done")
        play.look(at, "events")
    await play.play()
    done = [at for (port, at), value in play.seen.items() if port == "done" and value]
    assert done == [at + schedule.done for at in starts]
    pulses, kinds = Counter(), Counter()
    for n, at in enumerate(starts):
        result, slope, state, events = neurons.expected(n)
        end = at + schedule.done
        assert signed(play.seen["result", end], f.word) == result, n
        assert signed(play.seen["state_out", end], f.u.width) == state, n
        if slope is not None:
            assert signed(play.seen["slope", end], f.word) == slope, n
        for kind in events if neurons.valid[n] else ():
            product, latency = EVENT_AT[kind]
            of_mode = schedule.errors if neurons.error[n] else schedule.starts
            pulses[at + of_mode[product] + latency + 1] += 1 << EVENTS.index(kind)
            kinds[kind] += 1
    seen = {at: value for (port, at), value in play.seen.items() if port == "events" and value}
    assert seen == dict(pulses)
    assert set(kinds) == set(EVENTS)  # each kind saturated somewhere


@pytest.mark.parametrize(
    ("multipliers", "word"), [(1, 18), (2, 16), (3, 18), (5, 18), (2, 12), (1, 8)]
)
def test_filter(bench, multipliers, word):
    machine = Machine(multipliers=multipliers, phi_log2=5, formats=Formats(word=word))
    bench(FilterUnit(machine), machine=machine.to_json())
