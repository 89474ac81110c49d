# SPDX-License-Identifier: Apache-2.0
"""The registers of a core that is near, in one memory with one adder."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.registers import WRITABLE, ports
from antevolt.hdl.lib.registers import delay, register
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.description import described
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, KINDS, Region, Register

__all__ = ["APART", "DEPTH", "RegisterMemory", "leisure"]

DEPTH = 128
"""Words: the registers, and from half of it on what a reset puts back."""
APART = 6
"""Cycles from an access to the next one at least, from a read one more."""
STEP_BITS = 32  # of all but the counters
BLOCK = {"ram_style": "block"}
ONCE = {Register.OUTPUT_EVERY: 1, Register.APPLY_EVERY: 1}  # where nothing else is said


def last(machine: Machine) -> int:
    """The register of the highest number that is visited."""
    many = Register.SATURATED + len(KINDS) - 1
    return many if machine.saturations else int(Register.OUTPUT_SHIFT)


def leisure(machine: Machine) -> int:
    """Cycles within which what is due follows; no step may be shorter."""
    return 2 * last(machine) + 10


class RegisterMemory(wiring.Component):
    """As `registers.Registers`, with fewer logic cells.

    A visit reads a word, adds what has happened to it since the last one, and writes it back in the
    next cycle. Words are visited in turn, downwards, so that a count comes just before what it is
    compared with; a read of the host is a visit, too. Until then events wait in short counters:
    even if accesses come as fast as APART allows, each is visited in every `waits` cycles.

    Members
    -------
    ready : a reset has put all words back; before, no access may come and no step start
    key : an APPLY starts;  word : the seed a cycle later, and then the number of the step
    due, output_due : follow within `leisure(machine)` cycles, which a step must last
    all others : of `Registers`
    """

    ready: Any
    key: Any
    word: Any
    fresh: Any
    learns: Any
    due: Any
    output_mode: Any
    output_shift: Any
    output_due: Any
    ended: Any
    busy: Any
    stalled_input: Any
    stalled_output: Any
    slot: Any
    saturated: Any
    saturated_sums: Any
    access: Any
    reply: Any

    def __init__(self, machine: Machine, contents: Contents | None = None):
        self.machine = machine
        self.contents = Contents(machine) if contents is None else contents
        self.top, self.waits = last(machine), 127 if machine.saturations else 63
        own = {"ready": Out(1), "key": In(1), "word": Out(STEP_BITS)}
        super().__init__({**own, **ports(self.contents)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        access, index = self.access, self.access.index
        # the second cycle of a visit, that it is the host's, and what is visited
        visits, self.asked, at = Signal(), Signal(), Signal(6)
        self.place, asks, self.copies = Signal(5, init=self.top), Signal(6), Signal(init=1)
        reads, writes = Signal(), Signal()
        ours, then = access.region == Region.REGISTERS, delay(m, self.key, 1, "key", init=True)
        m.d.comb += [
            *(reads.eq(access.read & ours), writes.eq(access.write & ours)),
            *(at.eq(Mux(self.asked, asks, self.place)), self.ready.eq(~self.copies)),
        ]
        m.d.sync += [
            self.asked.eq(reads | self.asked & ~visits),
            visits.eq(~visits & ~(reads | writes | self.key | then)),
        ]
        with m.If(reads):
            m.d.sync += asks.eq(index)
        read, write = self._memory(m)
        source = Mux(then, Register.STEP, Register.SEED)
        m.d.comb += read.addr.eq(Mux(self.key | then, source, Cat(at, self.copies)))
        m.d.comb += self.word.eq(read.data)
        adds, passes = self._steps(m, at, write)
        more, counts = self._counters(m, at, write)
        # of the outputs, of the learning steps; the number of the step goes on
        clears = passes & Mux(at[3], self.output_due, self.due & at[0])
        kept, put = ~writes & ~clears, Signal(DATA_BITS)
        keeps = Cat(kept.replicate(STEP_BITS), (kept & counts).replicate(DATA_BITS - STEP_BITS))
        m.d.comb += [
            put.eq((read.data + (adds | more)) & keeps | self._given(m, writes)),
            *(write.addr.eq(Mux(writes, index, at)[:5]), write.data.eq(put)),
            write.en.eq(Mux(writes, ~index[5], visits & (passes | counts | self.copies))),
        ]
        visited = visits & ~self.asked & ~writes
        self._turn(m, visited, passes, reads | writes)
        self.result, told = register("result", DATA_BITS), delay(m, visits & self.asked, 1, "told")
        with m.If(visits):
            m.d.sync += self.result.eq(put)
        self._compare(m, put, read.data, visited, write)
        m.d.comb += self.reply.data.eq(Mux(told, self.result, 0))
        return m

    def _memory(self, m: Module) -> tuple[Any, Any]:
        """Its ports; a word is never read in the cycle that writes it."""
        words = [0] * (DEPTH // 2)
        for number in WRITABLE:
            words[number] = self.contents.register(number, ONCE.get(number, 0))
        own = described(self.machine)
        words[Register.CORE_KIND : Register.CORE_KIND + len(own)] = own
        memory = Memory(shape=DATA_BITS, depth=DEPTH, init=words * 2, attrs=BLOCK)
        m.submodules.memory = memory
        return memory.read_port(), memory.write_port()

    def _turn(self, m: Module, visited: Any, passes: Any, disturbed: Any) -> None:
        """Whose turn it is; a count that has changed is visited again, to be compared."""
        following = Signal(5)
        m.d.comb += following.eq(self.place)
        with m.If(visited & ~passes):
            m.d.comb += following.eq(Mux(self.place == 0, self.top, self.place - 1))
            with m.If(self.place == 0):
                m.d.sync += self.copies.eq(0)
        # the host's visit comes between a count, which is odd, and what it is compared with
        m.d.sync += self.place.eq(following | disturbed)

    def _steps(self, m: Module, at: Any, write: Any) -> tuple[Any, Any]:
        """What is added to the counts of steps; and that this is for good."""
        learned, passes, adds = Signal(), Signal(), Signal()
        for number in (Register.STEP, Register.LEARNED, Register.OUTPUT_PASSED):
            waits = Signal(name=f"waits{int(number)}")
            with m.If(write.en & (write.addr == number)):
                m.d.sync += waits.eq(0)
            with m.If(self.ended):
                m.d.sync += waits.eq(1)
            with m.If((at == number) & waits):
                m.d.comb += passes.eq(1)
        with m.If(self.ended):
            m.d.sync += learned.eq(self.learns)
        trial = ~passes & ~self.asked & ~self.copies  # of the step that is under way
        with m.Switch(at):
            with m.Case(Register.STEP):
                m.d.comb += adds.eq(passes)
            with m.Case(Register.LEARNED):
                m.d.comb += adds.eq(passes & learned | trial & self.learns)
            with m.Case(Register.OUTPUT_PASSED):
                m.d.comb += adds.eq(passes | trial)
        return adds, passes

    def _counters(self, m: Module, at: Any, write: Any) -> tuple[Any, Any]:
        """What has been counted since the last visit; and that this is a counter."""
        events: dict[int, Any] = {
            Register.CYCLES: Const(1, 1),
            Register.BUSY: self.busy,
            Register.STALLED_INPUT: self.stalled_input,
            Register.STALLED_OUTPUT: self.stalled_output,
            Register.SLOTS: self.slot,
        }
        if self.machine.saturations:
            events[Register.SATURATED_SUMS] = self.saturated_sums
            events |= {Register.SATURATED + n: self.saturated[n] for n in range(len(KINDS))}
        total: Any = Const(0, 1)
        for number, event in events.items():
            most = self.waits * ((1 << len(event)) - 1)
            count = Signal(range(most + 1), name=f"counter{int(number)}")
            folds = write.en & (write.addr == number)
            m.d.sync += count.eq(Mux(folds, 0, count) + event)
            total = total | Mux(at == number, count, 0)
        return total, Cat(at == number for number in events).any()

    def _given(self, m: Module, writes: Any) -> Any:
        """What the host writes: counters are cleared, and some registers have fewer bits."""
        index, data = self.access.index[:6], self.access.data
        widths = dict.fromkeys(WRITABLE, STEP_BITS)
        for number, port in (
            (Register.OUTPUT_MODE, self.output_mode),
            (Register.OUTPUT_SHIFT, self.output_shift),
        ):
            widths[number] = len(port)
            with m.If(writes & (index == number)):
                m.d.sync += port.eq(data)
        wide = {
            width: writes & Cat(index[:5] == n for n in WRITABLE if widths[n] >= width).any()
            for width in set(widths.values())
        }
        return data & Cat(
            wide[min(width for width in wide if width > bit)] for bit in range(STEP_BITS)
        )

    def _compare(self, m: Module, put: Any, limit: Any, visited: Any, write: Any) -> None:
        """What hangs on the counts of steps: each with its limit, which is visited next."""
        reached = self.result[:STEP_BITS] >= limit[:STEP_BITS]
        with m.If(visited & (self.place == Register.APPLY_EVERY)):
            m.d.sync += self.due.eq(reached)
        with m.If(visited & (self.place == Register.OUTPUT_EVERY)):
            m.d.sync += self.output_due.eq(reached)
        with m.If(write.en & (write.addr == Register.LEARNED)):
            m.d.sync += self.fresh.eq(put[:STEP_BITS] == 0)
        with m.If(self.ended):  # sooner than the visit, since it is needed soon
            m.d.sync += self.fresh.eq(self.due | self.fresh & ~self.learns)
