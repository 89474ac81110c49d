# SPDX-License-Identifier: Apache-2.0
"""Values of a neuron on its way through a filter unit that takes a new neuron every period."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib.memory import Memory

from antevolt.hdl.lib.family import LUT_MEMORY, family
from antevolt.hdl.lib.registers import delay, register

__all__ = ["Pipeline"]

FEW = 3  # stages; a memory is smaller than more of them
DEEPEST = 15  # neurons in a memory; of more words than one cell of LUTs has some would be chosen
OUTPUT = {"gowin": 0}
"""Whether a register stands behind such a memory, so that no path begins in it; where it would take
a logic cell for each bit, none does."""
WITHOUT = ("ice40", "ice40hx")
"""Families that have no memories of LUTs: a memory would be more registers than the stages are."""


class Pipeline:
    """Times count from a neuron's start. A value that is needed longer than one period moves on
    through registers that are loaded once per neuron, so that no two neurons meet; one that would
    need more than FEW of them stands in a memory of a word per neuron, of LUTs where a family has
    those, and in a second one after DEEPEST."""

    def __init__(self, m: Module, start: Any, period: int, length: int):
        self.m, self.period = m, period
        self.taps = [start]
        for n in range(length):
            tap = Signal(name=f"at{n + 1}")
            m.d.sync += tap.eq(self.taps[-1])
            self.taps.append(tap)
        self._stages: dict[str, list[Any]] = {}
        self._queues: dict[tuple[int, int], dict[str, tuple[Any, Signal]]] = {}
        self._turns: dict[tuple[int, int], Signal] = {}

    def at(self, time: int) -> Any:
        """1 while the neuron that started `time` cycles ago is here."""
        return self.taps[time]

    def hold(self, name: str, value: Any, ready: int, need: int, rest: int = 0) -> Any:
        """`value`, which is valid at `ready` and `rest` cycles more (always as many for the same
        name), as it is to be used at `need`."""
        if need < ready:
            raise ValueError(f"{name} is needed at {need} but ready at {ready}")
        if need <= ready + rest:
            return value
        ready += rest  # the later it is taken, the fewer registers hold it
        number = (need - ready - 1) // self.period
        if number >= FEW:
            there = min(need, ready + DEEPEST * self.period)
            value = self._queued(name, value, ready, there)
            return value if there == need else self.hold(f"{name}_{there}", value, there, need)
        return self._staged(name, value, ready, number)

    def _staged(self, name: str, value: Any, ready: int, number: int) -> Any:
        """The last of `number` + 1 registers, each loaded a period after the one before."""
        stages = self._stages.setdefault(name, [])
        while len(stages) <= number:
            n = len(stages)
            source = stages[-1] if stages else value
            stage = register(f"{name}_{n}", value.shape())
            with self.m.If(self.taps[ready + n * self.period]):
                self.m.d.sync += stage.eq(source)
            stages.append(stage)
        return stages[number]

    def _queued(self, name: str, value: Any, ready: int, need: int) -> Signal:
        """Joins what is also ready then and needed then."""
        queue = self._queues.setdefault((ready, need), {})
        if name not in queue:
            queue[name] = value, Signal(value.shape(), name=f"{name}_at{need}")
        return queue[name][1]

    def finish(self, platform: object) -> None:
        """To be called when all is held: makes the memories."""
        for (ready, need), queue in self._queues.items():
            if family(platform) in WITHOUT:
                number = (need - ready - 1) // self.period
                for name, (value, taken) in queue.items():
                    self.m.d.comb += taken.eq(self._staged(name, value, ready, number))
            else:
                self._memory(ready, need, queue, platform)

    def _memory(
        self, ready: int, need: int, queue: dict[str, tuple[Any, Signal]], platform: object
    ) -> None:
        """First in, first out, since neurons do not overtake each other."""
        m, style = self.m, LUT_MEMORY.get(family(platform), {})
        given, taken = zip(*queue.values(), strict=True)
        output = OUTPUT.get(family(platform), 1)
        depth = 1 << ((need - ready) // self.period).bit_length()
        memory = Memory(shape=len(Cat(given)), depth=depth, init=[], attrs=style)
        m.submodules[f"queue{ready}_{need}"] = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += [
            *(write.addr.eq(self._turn(ready, depth)), write.data.eq(Cat(given))),
            *(write.en.eq(self.taps[ready]), read.addr.eq(self._turn(need - output, depth))),
            Cat(taken).eq(delay(m, read.data, output, f"queue{ready}_{need}")),
        ]

    def _turn(self, time: int, depth: int) -> Signal:
        """Which neuron is at `time`, modulo `depth`."""
        if (time, depth) not in self._turns:
            turn = Signal(range(depth), name=f"turn{time}_{depth}")
            with self.m.If(self.taps[time]):
                self.m.d.sync += turn.eq(turn + 1)
            self._turns[time, depth] = turn
        return self._turns[time, depth]
