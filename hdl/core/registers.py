# SPDX-License-Identifier: Apache-2.0
"""The registers of a core: what a step needs to know, what it counts, and what the core is."""

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import Access, Reply
from antevolt.hdl.core.tap import Tap, any_of
from antevolt.hdl.lib.registers import delay
from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.description import described
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, KINDS, Region, Register, size
from antevolt.hdl.spec.outputs import MODE_BITS, SHIFT_BITS

__all__ = ["EVENT_BITS", "WRITABLE", "Registers", "ports"]

EVENT_BITS = 8
WRITABLE = (
    *(Register.STEP, Register.SEED, Register.APPLY_EVERY, Register.LEARNED),
    *(Register.OUTPUT_MODE, Register.OUTPUT_EVERY, Register.OUTPUT_PASSED, Register.OUTPUT_SHIFT),
)
"""What a host can set; a reset puts it back."""


def ports(contents: Contents) -> dict[str, Any]:
    """What registers have in common, however they are kept."""
    first = contents.register
    return {
        "fresh": Out(1),
        "learns": In(1),
        "due": Out(1),
        "output_mode": Out(MODE_BITS, init=first(Register.OUTPUT_MODE)),
        "output_shift": Out(SHIFT_BITS, init=first(Register.OUTPUT_SHIFT)),
        "output_due": Out(1),
        "ended": In(1),
        "busy": In(1),
        "stalled_input": In(1),
        "stalled_output": In(1),
        "slot": In(1),
        "saturated": In(EVENT_BITS).array(len(KINDS)),
        "saturated_sums": In(2),
        "access": In(Access()),
        "reply": Out(Reply()),
    }


class Registers(wiring.Component):
    """Steps, learning steps and the random seed; counters, cleared by any write; the core itself.

    A reset puts those that can be written back to what `contents` has.

    Members
    -------
    step, seed : for the random bits;  fresh : no learning step since the last APPLY
    learns, due : this step learns; it completes `apply_every` learning steps
    output_mode, output_shift : of the outputs;  output_due : this step completes `output_every`
    ended : the step ends
    busy, stalled_input, stalled_output, slot : counted per cycle
    saturated[kind], saturated_sums : how many saturations this cycle; read as 0 in a machine
        that does not count them
    access, reply : the registers on the access bus
    """

    step: Any
    seed: Any
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
        first = self.contents.register
        super().__init__(
            {
                "step": Out(32, init=first(Register.STEP)),
                "seed": Out(32, init=first(Register.SEED)),
                **ports(self.contents),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words: list[Any] = [Const(0, DATA_BITS)] * size(self.machine, Region.REGISTERS)[1]
        for number, word in enumerate(described(self.machine), Register.CORE_KIND):
            words[number] = Const(word, DATA_BITS)
        first = self.contents.register
        learned, apply_every = (
            Signal(32, init=first(Register.LEARNED)),
            Signal(32, init=first(Register.APPLY_EVERY, 1)),
        )
        including, learns = Signal(32), Signal()
        # registered at leisure: what they depend on rests from INPUT to the end of the step
        m.d.sync += [
            *(learns.eq(self.learns), including.eq(learned + learns)),
            self.due.eq(including >= apply_every),
            self.fresh.eq(learned == 0),
        ]
        with m.If(self.ended):
            m.d.sync += self.step.eq(self.step + 1)
            with m.If(self.due):
                m.d.sync += learned.eq(0)
            with m.Else():
                m.d.sync += learned.eq(including)
        events: dict[int, Any] = {
            Register.CYCLES: 1,
            Register.BUSY: self.busy,
            Register.STALLED_INPUT: self.stalled_input,
            Register.STALLED_OUTPUT: self.stalled_output,
            Register.SLOTS: self.slot,
        }
        if self.machine.saturations:
            events[Register.SATURATED_SUMS] = self.saturated_sums
            events |= {Register.SATURATED + n: self.saturated[n] for n in range(len(KINDS))}
        for number, event in events.items():
            words[number] = counter = Signal(DATA_BITS, name=f"counter{number}")
            late = not isinstance(event, int)  # from anywhere in the core: a register on its way
            happens = delay(m, event, 1, f"event{number}", init=True) if late else event
            m.d.sync += counter.eq(counter + happens)
        words[Register.STEP], words[Register.SEED] = self.step, self.seed
        words[Register.APPLY_EVERY], words[Register.LEARNED] = apply_every, learned
        self._outputs(m, words)
        self._bus(m, words, set(events))
        return m

    def _outputs(self, m: Module, words: list[Any]) -> None:
        """When the outputs are due; like `due`, registered at leisure."""
        first = self.contents.register
        every, passed, including = (
            Signal(32, init=first(Register.OUTPUT_EVERY, 1)),
            Signal(32, init=first(Register.OUTPUT_PASSED)),
            Signal(32),
        )
        m.d.sync += [including.eq(passed + 1), self.output_due.eq(including >= every)]
        with m.If(self.ended):
            m.d.sync += passed.eq(Mux(self.output_due, 0, including))
        words[Register.OUTPUT_MODE], words[Register.OUTPUT_SHIFT] = (
            self.output_mode,
            self.output_shift,
        )
        words[Register.OUTPUT_EVERY], words[Register.OUTPUT_PASSED] = every, passed

    def _bus(self, m: Module, words: list[Any], counters: set[int]) -> None:
        """Registers are selected before they are read or written, and read in two steps."""
        tap = Tap(m, self.access, None, self.contents, self.machine.near)
        selects, access = tap.selects(Region.REGISTERS), tap.access
        parts: list[Any] = []
        step = 0 if self.machine.near else 1
        written = delay(m, access.data, step, "written")
        writing = access.write & selects
        low = (len(words) - 1).bit_length()  # there are no accesses beyond
        for number, word in enumerate(words):
            if isinstance(word, Const) and word.value == 0:
                continue
            this = delay(m, tap.early.index[:low] == number, step, f"this{number}")
            parts.append(Mux(this, word, 0))
            if isinstance(word, Signal):
                writes = delay(m, writing & this, step, "writes")
                with m.If(writes):
                    m.d.sync += word.eq(0 if number in counters else written)
        some = [any_of(m, parts[k : k + 4], 1) for k in range(0, len(parts), 4)]
        tap.answer(access.read & selects, any_of(m, some, 1))
        m.d.comb += self.reply.as_value().eq(
            tap.reply("reply_register", Reply().const({}).as_value())
        )
