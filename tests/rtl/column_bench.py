# SPDX-License-Identifier: Apache-2.0
"""A column beside the model's memories of one stream: loads, operations, comparisons.

What comes one by one - commands, finished words of q, pushes, reads - comes with pauses, in which
the ports hold anything; commands stay in the slots of `interval` cycles in which units take turns.
"""

from random import Random

import numpy as np

from access_bus import WRITTEN
from antevolt.hdl.core.bundles import (
    FLAGS_REGION,
    TARGET_REGION,
    Access,
    FilterCommand,
    Push,
    coefficient,
)
from antevolt.hdl.core.tap import reply_latency
from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.flags import FLAG_BITS, Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register, size
from antevolt.hdl.spec.program import ERRORS, Bias, Cost, Kind, Operation
from antevolt.hdl.spec.timing import BASE, DIVIDE, FETCH, Timing, filter_schedule
from antevolt.host.phi_tables import table
from antevolt.host.quantize import coefficient as coefficient_word
from antevolt.host.quantize import shifts
from antevolt.host.words import word_bits
from antevolt.sim.bench.simulator import values
from antevolt.sim.bench.streams import Cycles
from antevolt.sim.bench.timeline import Timeline, packed
from antevolt.sim.golden import neurons as golden
from antevolt.sim.golden.arithmetic import Limits, half_up
from antevolt.sim.golden.memories import Memories
from antevolt.sim.golden.streams import Streams
from flow import gaps

DEPTH = 16
KEPT = 6  # cycles from a finished word of q to the memory
MEMORIES = (Region.STATE, Region.PARTNER, Region.Q, Region.OUTPUT)
MODELS = {
    Kind.MEMBRANE: golden.Membrane, Kind.TRACE: golden.Trace, Kind.EXP: golden.Exp,
    Kind.NORM: golden.Norm, Kind.ERROR: golden.ErrorFilter,
}  # fmt: skip


class Bench:
    """A column, and the model's memories of one stream."""

    def __init__(self, dut, seed):
        self.dut, self.number = dut, values()["number"]
        self.machine = m = Machine.from_json(values()["machine"])
        self.f, self.layout = m.formats, FilterCommand(m)
        self.cycles, self.draw = Cycles(dut), np.random.default_rng(seed)
        self.model = Memories(m)
        self.flags = [0] * m.contexts
        self.rates, self.saturated = [0] * DEPTH, [0] * len(KINDS)
        self.waits, self.noise = gaps("none"), Random(seed)
        self.cycles.drivers.append(self)

    def drive(self):
        """Inputs are set by the timelines."""

    def sample(self):
        if int(self.dut.rates_en.value):
            self.rates[int(self.dut.rates_address.value)] = int(self.dut.rates_data.value)
        events = int(self.dut.saturated.value)
        for n in range(len(KINDS)):
            self.saturated[n] += events >> n & 1

    def below(self, limit):
        return int(self.draw.integers(limit))

    def numbers(self, bits, count):
        """Of all magnitudes, two's complement."""
        whole = self.draw.integers(-1 << (bits - 1), 1 << (bits - 1), count)
        return whole >> self.draw.integers(0, bits, count) * self.draw.integers(0, 2, count)

    async def load(self):
        """Everything that an access can write."""
        await self.cycles.reset()
        model, f, play, at = self.model, self.f, Timeline(self.cycles), 0
        writes = [
            (region, self.number, n, int(word))
            for region in MEMORIES
            for n, word in enumerate(
                self.numbers(word_bits(self.machine, region), size(self.machine, region)[1])
            )
        ]
        phi = [table(name, f, self.machine.phi_log2) for name in ("tanh", "softplus")]
        writes += [(Region.PHI, 0, n, int(w)) for n, w in enumerate(np.concatenate(phi).ravel())]
        for region, unit, index, word in writes:
            model.write(region, 0, index, word)
            word &= (1 << 36) - 1
            fields = {"region": region, "index": index, "write": 1}
            play.set(at, "access", packed(Access(), unit=unit, data=word, **fields))
            other = {**fields, "unit": self.number + 1, "data": word ^ 5}
            if region != Region.PHI:  # which has no unit
                play.set(at + 1, "access", packed(Access(), **other))
            at += 2
        target = self.numbers(f.word, DEPTH)
        model.target[:, 0] = target
        for n, word in enumerate(target):
            fields = {"region": TARGET_REGION, "index": n, "write": 1, "unit": self.number}
            play.set(at + n, "access", packed(Access(), data=int(word) & (1 << 18) - 1, **fields))
        await play.play()
        words, around = self.draw.integers(0, 1 << 6, (2, DEPTH, 2, 3))
        words = np.where(around > 6, 1 + around % 13, words)
        mantissa = self.numbers(f.word, words.shape) & (1 << f.word) - 1
        for place, c in np.ndenumerate(words << f.word | mantissa):
            model.write(Region.COEFFICIENTS, 0, int(np.dot(place, (8, 4, 1))), c)

    async def set_flags(self):
        """Valid most of the time."""
        for context in range(self.machine.contexts):
            own = self.below(1 << FLAG_BITS) | (self.below(8) > 0)
            fields = {"region": FLAGS_REGION, "unit": self.number, "index": context, "data": own}
            self.dut.access.value = packed(Access(), write=1, **fields)
            await self.cycles.step()
            self.dut.access.value, self.flags[context] = 0, own
        await self.cycles.run(WRITTEN)
        for context, own in enumerate(self.flags):
            assert int(getattr(self.dut, f"flags__{context}").value) == own

    def operation(self, kind, **fields):
        n = 1 + self.below(6)
        places = {name: self.below(DEPTH - 6) for name in ("neurons", "weights", "rates", "extra")}
        given = {"n": n, "prior": self.below(2), "bias": self.below(len(Bias)), **places}
        given |= {"shared": self.below(2), "table": self.below(3)}
        return Operation(kind, **given | fields)

    def kept(self, **fields):
        """An ERROR that takes q as it is: its scale is 1."""
        op = self.operation(Kind.ERROR, keep=1, **fields)
        one = coefficient_word("scale", 1, shifts(self.f)[0], self.f)
        for number in range(op.n):
            place = op.weights + (0 if op.shared else number)
            self.model.write(Region.COEFFICIENTS, 0, (2 * place + 1) * 4, one)
        return op

    def command(self, op, number, turn):
        """The bits of one neuron's command."""
        mode, place = int(op.kind in ERRORS), op.rates * 2 + op.odd + number
        first = (2 * (op.weights + (0 if op.shared else number)) + mode) * 4
        words = self.model.read(Region.COEFFICIENTS, 0, first, 3).tolist()
        coefficients = sum(c << n * coefficient(self.machine).size for n, c in enumerate(words))
        return coefficients << self.layout["c"].offset | packed(
            self.layout, start=1, unit=turn % self.machine.filters, error=mode,
            neuron=op.neurons + number, context=op.context, prior=op.prior, cost=op.cost > 0,
            softmax=op.cost == Cost.SOFTMAX, drawn=op.kind in (Kind.TRACE, Kind.EXP),
            exp=op.kind == Kind.EXP, norm=op.kind == Kind.NORM, first=number == 0 and op.head,
            output=op.output, table=op.table, rates=place // 2, odd=place % 2,
            **({"keep": op.keep} if filter_schedule(self.machine).dense else {}),
            last=number == op.n - 1, one=op.bias == Bias.HIGH, extra=op.extra + number,
        )  # fmt: skip

    async def run(self, op):
        """One operation here and in the model."""
        play, f, spacing = Timeline(self.cycles), self.f, self.machine.interval
        acc, shifts, turn = self.numbers(f.accumulator, op.n), {}, -1
        timing = Timing(self.machine)
        rest = timing.rest
        for n in range(op.n):
            turn += 1 + next(self.waits)
            command, start = self.command(op, n, turn), packed(self.layout, start=1)
            play.set(turn * spacing, "command", command)
            for more in range(1, rest + 1):
                play.set(turn * spacing + more, "command", command & ~start)
            at = turn * spacing + FETCH + BASE - 1 - timing.drive
            shifts[at - timing.ahead] = int(op.kind == Kind.MEMBRANE)
            play.set(at, "d_lo", int(acc[n]) & (1 << f.word) - 1)
            play.set(at + timing.lag, "d_hi", int(acc[n]) >> f.word)
        for at in range(max(shifts) + 2):
            play.look(at, "d_shift")
        last, written = turn * spacing, values()["written"]
        play.look(last + written + DIVIDE + f.word - 1, "d_shift")  # until all that follows may be
        play.fill(["command"], self.noise, quiet=packed(self.layout, start=1))
        play.fill(["d_lo", "d_hi"], self.noise)
        await play.play()
        seen = {at: v for (_, at), v in play.seen.items() if v}
        assert seen == {at: v for at, v in shifts.items() if v}
        streams, model = Streams.of(np.array([self.flags[op.context]])), self.model
        make = MODELS[op.kind](model, op)
        drained = [acc[None, :].astype(float)] if op.kind in (Kind.MEMBRANE, Kind.TRACE) else []
        make(streams, *drained)

    async def sums_of_q(self, context, count):
        """Finished words of q, and what is kept of them."""
        f, play, first = self.f, Timeline(self.cycles), self.below(DEPTH - count)
        words = self.numbers(f.q.width, count)
        at = 0
        for n, word in enumerate(words):
            at += next(self.waits)
            fields = {"q_data": word, "q_neuron": first + n, "q_live": 1, "q_context": context}
            for port, value in fields.items():
                play.set(at, port, int(value))
            at += 1
        play.look(at + KEPT, "d_shift")
        play.fill(["q_data", "q_neuron", "q_context"], self.noise)  # what is not live
        await play.play()
        if self.flags[context] & Flag.VALID:
            q, limits = half_up(words.astype(float), f.q.frac - f.e.frac), Limits(f.word)
            kind = Register.SATURATED + KINDS.index("q")
            self.model.registers[kind] += int(limits.outside(q).sum())
            self.model.q[first : first + count, 0] = limits.clip(q)

    async def pushes(self, context):
        """e as the array gets it."""
        play, expected, paused = Timeline(self.cycles), {}, 0
        for n in range(DEPTH):
            paused += next(self.waits)
            live, prior, at = self.below(4) > 0, self.below(2), paused + 2 * n + self.below(2)
            fields = {"en": 1, "neuron": n, "live": live, "prior": prior, "context": context}
            play.set(at, "push", packed(Push(self.machine), **fields))
            silent = not live or prior and self.flags[context] & Flag.FIRST
            expected[at + Ram.latency] = 0 if silent else int(self.model.e[n, 0])
        for at in range(max(expected) + 2):
            play.look(at, "e_shift")
            play.look(at, "e_in")
        play.fill(["push"], self.noise, quiet=packed(Push(self.machine), en=1))
        await play.play()
        mask = (1 << self.f.word) - 1
        shifted = [at for (port, at), v in play.seen.items() if port == "e_shift" and v]
        seen = {at: play.seen["e_in", at] for at in shifted}
        assert seen == {at: e & mask for at, e in expected.items()}

    async def check(self):
        """All memories, rates and counts."""
        model, play, expected, at = self.model, Timeline(self.cycles), {}, 0
        wait = reply_latency(self.machine.near)
        for region in (*MEMORIES, *([Region.PHI] if self.number == 0 else [])):
            for n, word in enumerate(model.read(region, 0, 0, size(self.machine, region)[1])):
                fields = {"region": region, "unit": self.number, "index": n}
                play.set(at, "access", packed(Access(), read=1, **fields))
                play.look(at + wait, "reply")
                expected["reply", at + wait] = int(word)
                at += 1 + next(self.waits)
        play.fill(["access"], self.noise, quiet=packed(Access(), write=1, read=1))
        await play.play()
        assert play.seen == expected
        assert self.rates == model.read(Region.RATES, 0, 0, DEPTH).tolist()
        assert self.saturated == model.registers[Register.SATURATED :][: len(KINDS)]
