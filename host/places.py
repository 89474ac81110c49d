# SPDX-License-Identifier: Apache-2.0
"""Where every weight and every state of a network lies in a core's memories, and their names.

A `Place` holds, for each element of an array, the word it lies in and the bits of it. Reading
gathers, writing replaces these bits and keeps the others, such as the constant one beside a rate.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec.formats import QFormat, Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import OUTPUT_SUM_BITS, Region
from antevolt.hdl.spec.moments import NEEDS, WORD, Rule
from antevolt.hdl.spec.network import Network
from antevolt.hdl.spec.time_constants import BITS, FRAC
from antevolt.host.backend import Access
from antevolt.host.layout import Layout
from antevolt.host.quantize import learns_times
from antevolt.host.words import signed

__all__ = ["Place", "places"]


@dataclass(frozen=True)
class Place:
    """Where an array lies: unit, index and lowest bit of each element, all of the array's shape."""

    region: Region
    unit: NDArray[np.int64]
    index: NDArray[np.int64]
    shift: NDArray[np.int64]
    fmt: QFormat

    @property
    def shape(self) -> tuple[int, ...]:
        return self.unit.shape

    def __getitem__(self, at: Any) -> "Place":
        """A part of it."""
        return replace(self, unit=self.unit[at], index=self.index[at], shift=self.shift[at])

    def gather(self, backend: Access) -> Raw:
        """The integers that lie there."""
        words, at = self._words(backend)
        return signed(words[at] >> self.shift, self.fmt.width)

    def scatter(self, backend: Access, raw: Raw) -> None:
        """Put integers there, which are in the range of the format."""
        words, at = self._words(backend)
        mask = (1 << self.fmt.width) - 1
        for shift in np.unique(self.shift):  # two halves of one word do not go in one assignment
            here = self.shift == shift
            place = tuple(a[here] for a in at)
            words[place] = (words[place] & ~(mask << shift)) | (raw[here] & mask) << shift
        first = int(self.index.min())
        for row, unit in zip(words, np.unique(self.unit), strict=True):
            backend.write(self.region, int(unit), first, row)

    def _words(
        self, backend: Access
    ) -> tuple[NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """The span of words that holds the array, by unit, and each element's place in it."""
        first, end = int(self.index.min()), int(self.index.max()) + 1
        units = np.unique(self.unit)
        words = np.stack([backend.read(self.region, int(u), first, end - first) for u in units])
        return words, (np.searchsorted(units, self.unit), self.index - first)


def places(network: Network, machine: Machine, layout: Layout) -> Iterator[tuple[str, Place]]:
    """All arrays of a network, by name (`Device.state_dict`)."""
    for k in range(len(network.projections)):
        yield from _of_projection(k, network, machine, layout)
    columns = _Columns(machine)
    for population in range(len(layout.network.sizes)):
        yield from _of_population(population, columns, layout)
    for l, learner in enumerate(network.populations, 1):
        if learns_times(learner):
            yield from _of_times(l, learner.size, layout)
    for population in layout.outputs:
        yield from _of_outputs(population, columns, layout)
    numbers: dict[tuple[int, int], int] = {}  # traces from one population to another
    for trace in layout.traces:
        between, units = (trace.source, trace.target), np.arange(trace.rates.n)
        number = numbers[between] = numbers.get(between, -1) + 1
        index = 2 * (columns.first(trace.neurons) + units)
        name = f"trace.{trace.source}.{trace.target}.{number}.u"
        yield name, columns.each(Region.STATE, index, machine.formats.u)


class _Columns:
    """The columns and contexts of all streams."""

    def __init__(self, machine: Machine):
        self._context, self._column = np.divmod(np.arange(machine.total_streams), machine.streams)

    def first(self, words: tuple[int, ...]) -> Raw:
        """First words by context, as those of each stream, [S, 1]."""
        found: Raw = np.array(words)[self._context, None]
        return found

    def each(self, region: Region, index: Raw, fmt: QFormat, shift: ArrayLike = 0) -> Place:
        """`index` [S, n] words, each in its stream's column."""
        unit, index, shift = np.broadcast_arrays(self._column[:, None], index, shift)
        return Place(region, unit, index, shift, fmt)


def _of_projection(
    k: int, network: Network, machine: Machine, layout: Layout
) -> Iterator[tuple[str, Place]]:
    """Weights, and what a core keeps for each of them."""
    f, projection = machine.formats, network.projections[k]
    inputs, moments = network.sizes[projection.source], NEEDS[Rule[network.optimizer.upper()]]

    def pieces(backward: bool) -> tuple[Place, Place, Place]:
        row, pair, half = layout.weight_places(k, backward)
        index, zero = 2 * pair + half, np.zeros_like(row)
        return (
            Place(Region.WEIGHTS, row, pair, half * f.word, f.w),
            Place(Region.GRADIENTS, row, index, zero, f.g),
            Place(Region.MOMENTS, row, index, zero, QFormat(WORD * moments, 0)),
        )

    name = f"projection.{k}"
    weights, gradient, moment = pieces(backward=False)
    if moments:
        yield f"{name}.moment", moment
    yield f"{name}.weight", weights[:, :inputs]
    if projection.bias:
        yield f"{name}.bias", weights[:, inputs]
    yield f"{name}.gradient", gradient
    if k in layout.backward:
        weights, gradient, moment = pieces(backward=True)
        yield f"{name}.backward", weights[:, :inputs]
        if projection.backward == "learned":
            yield f"{name}.backward_gradient", gradient
            if moments:
                yield f"{name}.backward_moment", moment


def _of_population(
    population: int, columns: _Columns, layout: Layout
) -> Iterator[tuple[str, Place]]:
    """Rates, and of all but the inputs the states and errors."""
    f, units = layout.machine.formats, np.arange(layout.network.sizes[population])
    name = f"population.{population}"
    pairs = columns.first(layout.rates[population].pairs) + units // 2
    yield f"{name}.r", columns.each(Region.RATES, pairs, f.r, units % 2 * f.word)
    if population == 0:
        return
    first = tuple(context[population - 1] for context in layout.neurons)
    neurons = columns.first(first) + units
    yield f"{name}.u", columns.each(Region.STATE, 2 * neurons, f.u)
    yield f"{name}.v", columns.each(Region.STATE, 2 * neurons + 1, f.v)
    yield f"{name}.e", columns.each(Region.PARTNER, 2 * neurons, f.e)
    yield f"{name}.slope", columns.each(Region.PARTNER, 2 * neurons + 1, f.r)
    yield f"{name}.q", columns.each(Region.Q, neurons, f.e)


def _of_times(l: int, size: int, layout: Layout) -> Iterator[tuple[str, Place]]:
    """Time constants that learn, and the sums that they learn from."""
    index = 4 * (layout.coefficients[l - 1] + np.arange(size))
    zero, tau = np.zeros_like(index), QFormat(BITS, FRAC)
    total = QFormat(BITS, layout.machine.formats.g.frac)
    kinds = {"tau_m": tau, "tau_r": tau, "tau_m_sum": total, "tau_r_sum": total}
    for which, (quantity, fmt) in enumerate(kinds.items()):
        place = Place(Region.TIMES, zero, index + which, zero, fmt)
        yield f"population.{l}.{quantity}", place


def _of_outputs(population: int, columns: _Columns, layout: Layout) -> Iterator[tuple[str, Place]]:
    """Rates that are kept in the output memory, too; of the outputs as given, their sums."""
    r, units = layout.machine.formats.r, np.arange(layout.network.sizes[population])
    own = population == len(layout.given.populations)
    name = "output" if own else f"population.{population}.kept"
    index = columns.first(layout.outputs[population]) + units
    yield name, columns.each(Region.OUTPUT, index, r)
    if own and layout.machine.sums:
        yield "sum", columns.each(Region.SUMS, index, QFormat(OUTPUT_SUM_BITS, r.frac))
