# SPDX-License-Identifier: Apache-2.0
"""Inputs and outputs at given cycles, for units whose ports have fixed latencies."""

from collections import defaultdict
from collections.abc import Iterable
from random import Random
from typing import Any

from antevolt.sim.bench.streams import Cycles

__all__ = ["Timeline", "packed", "unpacked"]


def packed(layout: Any, **fields: Any) -> int:
    """The bits of an Amaranth layout with these fields, others 0."""
    return int(layout.const(fields).as_bits())


def unpacked(layout: Any, word: int) -> dict[str, int]:
    """The fields of an Amaranth layout in these bits, unsigned."""
    return {name: word >> field.offset & (1 << field.width) - 1 for name, field in layout}


class Timeline:
    """Plays a schedule: cycle 0 is the first that `play` runs.

    seen  [port, cycle] -> value, unsigned, of what was to be looked at
    """

    def __init__(self, cycles: Cycles):
        self.cycles, self.last, self.now = cycles, 0, 0
        self.seen: dict[tuple[str, int], int] = {}
        self._inputs: dict[int, dict[str, int]] = defaultdict(dict)
        self._outputs: dict[int, list[str]] = defaultdict(list)
        self._handles: dict[str, Any] = {}

    def set(self, cycle: int, port: str, value: int) -> None:
        """The port has this value in this one cycle, else 0; negative: two's complement."""
        if port in self._inputs[cycle]:
            raise ValueError(f"{port} is already set in cycle {cycle}")
        self._inputs[cycle][port] = int(value)
        self.last = max(self.last, cycle)

    def look(self, cycle: int, port: str) -> None:
        """Look at the port in this cycle."""
        self._outputs[cycle].append(port)
        self.last = max(self.last, cycle)

    def fill(self, ports: Iterable[str], draw: Random, quiet: int = 0) -> None:
        """Until the last cycle so far these ports hold anything where they are not set, not 0;
        bits in `quiet` stay 0: the strobes of a port with several fields."""
        for port in ports:
            bits = len(self._port(port))
            for cycle in range(self.last + 1):
                if port not in self._inputs[cycle]:
                    self._inputs[cycle][port] = draw.getrandbits(bits) & ~quiet

    def _port(self, name: str) -> Any:
        if name not in self._handles:
            self._handles[name] = getattr(self.cycles.dut, name)
        return self._handles[name]

    async def play(self, start: int = 0) -> None:
        """Run from cycle `start` to the last one that has something."""
        high: set[str] = set()
        self.cycles.drivers.append(self)
        for now in range(start, self.last + 1):
            self.now = now
            wanted = self._inputs.get(self.now, {})
            for port in high - set(wanted):
                self._port(port).value = 0
            for port, value in wanted.items():
                handle = self._port(port)
                handle.value = value & ((1 << len(handle)) - 1)
            high = set(wanted)
            await self.cycles.step()
        for port in high:
            self._port(port).value = 0
        self.cycles.drivers.remove(self)

    def drive(self) -> None:
        """Inputs are set between cycles."""

    def sample(self) -> None:
        for port in self._outputs.get(self.now, ()):
            self.seen[port, self.now] = int(self._port(port).value)
