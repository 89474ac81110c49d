# SPDX-License-Identifier: Apache-2.0
"""Values of a neuron on its way through a filter unit that takes a new neuron every period."""

from typing import Any

from amaranth.hdl import Module, Signal

from antevolt.hdl.lib.registers import register

__all__ = ["Pipeline"]


class Pipeline:
    """Times count from a neuron's start. A value that is needed longer than one period moves on
    through registers that are loaded once per neuron, so that no two neurons meet."""

    def __init__(self, m: Module, start: Any, period: int, length: int):
        self.m, self.period = m, period
        self.taps = [start]
        for n in range(length):
            tap = Signal(name=f"at{n + 1}")
            m.d.sync += tap.eq(self.taps[-1])
            self.taps.append(tap)
        self._stages: dict[str, list[Any]] = {}

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
        stages = self._stages.setdefault(name, [])
        number = (need - ready - 1) // self.period
        while len(stages) <= number:
            n = len(stages)
            source = stages[-1] if stages else value
            stage = register(f"{name}_{n}", value.shape())
            with self.m.If(self.taps[ready + n * self.period]):
                self.m.d.sync += stage.eq(source)
            stages.append(stage)
        return stages[number]
