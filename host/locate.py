# SPDX-License-Identifier: Apache-2.0
"""Where a difference in a step comes from: the operation, the population, the neuron."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.memory_map import KINDS, Region, Register
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.program import Kind, Operation
from antevolt.host.effects import written
from antevolt.host.places import Place
from antevolt.host.state import Memory
from antevolt.host.verify_worker import COMPARED, Memories
from antevolt.host.words import signed

__all__ = ["Difference", "locate"]


@dataclass(frozen=True)
class Difference:
    """The first difference between two devices.

    step       the step in which it came up, from 0
    operation  its number in the program and its kind; what wrote the word
    place      population or projection, stream and neuron, quantity
    region, unit, index  the word, where it is one of a memory
    model, device  the two values, as integers
    words      words of all memories that differ after the step
    """

    step: int
    operation: str
    place: str
    region: str
    unit: int
    index: int
    model: int
    device: int
    words: int

    def __str__(self) -> str:
        return (
            f"step {self.step}, {self.operation}: {self.place} is {self.device}, the model has "
            f"{self.model} ({self.region} {self.unit}, word {self.index}; {self.words} words "
            "differ after this step)"
        )


def locate(
    memory: Memory,
    operations: tuple[Operation, ...],
    step: int,
    model: Memories,
    device: Memories,
    out: tuple[Raw, Raw],
) -> Difference:
    """The first operation, in the order of the program, that wrote a word that differs.

    model, device  the memories after the step, which (or whose outputs) differ
    out            the output words of the step, [words], of the model and the device
    """
    differing = {r: model[r] != device[r] for r in Region}
    count = sum(int(d.sum()) for d in differing.values())
    for number, op in enumerate(operations):
        for effect in written(op, memory.machine):
            inside = effect.index[effect.index < differing[effect.region].shape[1]]
            hits = np.argwhere(differing[effect.region][effect.first :: effect.every, inside])
            if len(hits):
                unit = effect.first + effect.every * int(hits[0, 0])
                index = int(inside[hits[0, 1]])
                name = f"operation {number} ({op.kind.name})"
                return _found(memory, step, name, effect.region, unit, index, model, device, count)
        if op.kind == Kind.OUTPUT and (out[0] != out[1]).any():
            return _output(memory, step, number, out, count)
    for region in Region:
        for unit, index in np.argwhere(differing[region]).tolist():
            if region == Region.REGISTERS:
                return _register(step, index, model, device, count)
            name = "no operation of the program writes it"
            return _found(memory, step, name, region, unit, index, model, device, count)
    return _output(memory, step, len(operations) - 1, out, count)


def _found(
    memory: Memory,
    step: int,
    operation: str,
    region: Region,
    unit: int,
    index: int,
    model: Memories,
    device: Memories,
    count: int,
) -> Difference:
    words = int(model[region][unit, index]), int(device[region][unit, index])
    for name, place in memory.places.items():
        for element in _elements(place, region, unit, index):
            shift = int(place.shift[element])
            a, b = (int(signed(word >> shift, place.fmt.width)) for word in words)
            if a != b:
                where = _named(name, element, memory.network)
                return Difference(step, operation, where, region.name, unit, index, a, b, count)
    where = f"a word beside those of the network ({region.name})"
    return Difference(step, operation, where, region.name, unit, index, *words, count)


def _elements(place: Place, region: Region, unit: int, index: int) -> Iterator[tuple[int, ...]]:
    if place.region == region:
        for element in np.argwhere((place.unit == unit) & (place.index == index)).tolist():
            yield tuple(element)


def _named(name: str, element: tuple[int, ...], network: Network) -> str:
    kind, _, rest = name.partition(".")
    number, _, quantity = rest.partition(".")
    if kind == "population" and len(element) == 1:
        return f"{quantity} of population {number}, neuron {element[0]}"
    if kind == "population":
        return f"{quantity} of population {number}, neuron {element[1]}, stream {element[0]}"
    if kind == "projection":
        projection = network.projections[int(number)]
        source, target = projection.source, projection.target
        column = "" if len(element) == 1 else f" from neuron {element[1]} of population {source}"
        return (
            f"{quantity} of projection {number}, to neuron {element[0]} of population "
            f"{target}{column}"
        )
    if kind == "trace":
        return f"u of trace {rest[:-2]}, neuron {element[1]}, stream {element[0]}"
    if kind == "sum":
        return f"sum of output {element[1]}, stream {element[0]}"
    return f"r of population {len(network.populations)}, neuron {element[1]}, stream {element[0]}"


def _output(memory: Memory, step: int, number: int, out: tuple[Raw, Raw], count: int) -> Difference:
    at = int(np.flatnonzero(out[0] != out[1])[0])
    stream, unit = divmod(at, memory.network.outputs)
    place = f"output {unit} of stream {stream}, with its flags"
    if (out[0] < 0).any():  # an output mode that does not put out all
        stream, place = 0, f"word {at} of those put out, with its flags"
    column = stream % memory.machine.streams
    return Difference(
        step, f"operation {number} (OUTPUT)", place, "stream out", column, at,
        int(out[0][at]), int(out[1][at]), count,
    )  # fmt: skip


def _register(step: int, index: int, model: Memories, device: Memories, count: int) -> Difference:
    number = COMPARED[index]
    if Register.SATURATED <= number < Register.CORE_KIND:
        name = f"saturations of {KINDS[number - Register.SATURATED]}"
    else:
        name = f"register {Register(number).name.lower()}"
    ours, theirs = (int(m[Region.REGISTERS][0, index]) for m in (model, device))
    return Difference(
        step, "some operation", name, "REGISTERS", 0, int(number), ours, theirs, count
    )
