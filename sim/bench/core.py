# SPDX-License-Identifier: Apache-2.0
"""A core in cocotb: its five ports, memory accesses, steps, and the comparison with the model."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.flags import target_follows
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import DATA_BITS, INDEX_BITS, UNIT_BITS, Region
from antevolt.hdl.spec.memory_map import size as region_size
from antevolt.hdl.spec.network import Parameters
from antevolt.host.compile import Image
from antevolt.host.loading import load
from antevolt.host.verify_worker import COMPARED
from antevolt.host.words import signed, word_bits
from antevolt.sim.bench.streams import Cycles, Sink, Source
from antevolt.sim.golden.core import GoldenCore

__all__ = ["CoreBench", "MemoryBench", "load_model"]

REGION_BITS = 4


def load_model(image: Image, parameters: Parameters) -> GoldenCore:
    """The model with a network loaded."""
    core = GoldenCore(image.machine)
    load(core, image, parameters)
    return core


class MemoryBench:
    """The memories of a core behind its ports `access` and `answer`, by whatever names."""

    def __init__(
        self, cycles: Cycles, machine: Machine, access: str = "access", answer: str = "answer"
    ):
        self.cycles, self.machine = cycles, machine
        self.access, self.answer = Source(cycles, access), Sink(cycles, answer)

    def request(self, region: int, unit: int, index: int, data: int | None = None) -> None:
        """Queue an access: a write of `data`, or a read."""
        word, at = int(data is not None), 1
        for value, bits in (
            (int(region), REGION_BITS),
            (unit, UNIT_BITS),
            (index, INDEX_BITS),
            (data or 0, DATA_BITS),
        ):
            word |= (int(value) & ((1 << bits) - 1)) << at
            at += bits
        self.access.send([word])

    async def write(self, region: int, unit: int, index: int, words: Iterable[int]) -> None:
        """Write consecutive words, and wait until the last is taken."""
        for n, word in enumerate(words):
            self.request(region, unit, index + n, int(word))
        await self._accessed()

    async def read(self, region: int, unit: int, index: int, count: int) -> list[int]:
        """Read consecutive words."""
        start = len(self.answer.words)
        for n in range(count):
            self.request(region, unit, index + n)
        await self.cycles.until(lambda: len(self.answer.words) == start + count)
        return self.answer.words[start:]

    async def register(self, number: int) -> int:
        return (await self.read(Region.REGISTERS, 0, number, 1))[0]

    async def _accessed(self) -> None:
        if self.access.words:
            await self.cycles.until(lambda: not self.access.words)

    async def differences(self, model: GoldenCore) -> list[str]:
        """Every word in which the core's memories differ from the model's."""
        found = []
        for region in Region:
            units, count = region_size(self.machine, region)
            indices = list(COMPARED) if region == Region.REGISTERS else list(range(count))
            if region == Region.COEFFICIENTS:
                indices = [n for n in indices if n % 4 < 3]  # there is no fourth
            mask = (1 << word_bits(self.machine, region)) - 1
            for unit in range(units):
                start = len(self.answer.words)
                for index in indices:
                    self.request(region, unit, index)
                end = start + len(indices)
                await self.cycles.until(lambda end=end: len(self.answer.words) == end)  # type: ignore[misc]
                expected = model.read(region, unit, 0, count).tolist()
                found += [
                    f"{region.name} {unit} {index}: {got & mask:x} and not {expected[index]:x}"
                    for index, got in zip(indices, self.answer.words[start:], strict=True)
                    if got & mask != expected[index]
                ]
        return found


class CoreBench(MemoryBench):
    """Drives `antevolt.hdl.core.core.Core(machine)`.

    idle      stall pattern of inputs and targets
    pressure  stall pattern of outputs
    """

    def __init__(self, dut: Any, machine: Machine, idle: str = "none", pressure: str = "none"):
        cycles = Cycles(dut)
        self.busy = dut.busy
        self.x = Source(cycles, "x", idle, seed=1)
        self.y = Source(cycles, "y", idle, seed=2)
        self.out = Sink(cycles, "out", pressure, seed=3)
        super().__init__(cycles, machine)

    async def load(self, image: Image, parameters: Parameters) -> None:
        """A clean start with a network."""
        for region, unit, index, words in image.words:
            await self.write(region, unit, index, words.tolist())
        for row, words in enumerate(image.layout.pack_weights(parameters)[0]):
            await self.write(Region.WEIGHTS, row, 0, words.tolist())

    def send(self, flags: ArrayLike, x: ArrayLike, y: ArrayLike) -> None:
        """Queue one step: flags [S T], x [S T, inputs], y [S T, outputs], as `GoldenCore.step`."""
        word = self.machine.formats.word
        for own, inputs, targets in zip(
            np.asarray(flags).tolist(), np.asarray(x).tolist(), np.asarray(y).tolist(), strict=True
        ):
            mask = (1 << word) - 1
            self.x.send((value & mask) | own << word for value in inputs)
            if target_follows(own):
                self.y.send(targets)

    def outputs(self, count: int) -> tuple[Raw, Raw]:
        """What came out, [steps, S T, count], and the flags with it; the words are used up."""
        words = np.array(self.out.words, dtype=np.int64)
        self.out.words.clear()
        shape = (-1, self.machine.total_streams, count)
        word = self.machine.formats.word
        return signed(words, word).reshape(shape), (words >> word).reshape(shape)

    async def finish(self, words: int) -> None:
        """Run until as many output words have come and the core rests."""
        await self.cycles.until(lambda: len(self.out.words) >= words and not int(self.busy.value))
