# SPDX-License-Identifier: Apache-2.0
"""The weights and states of a loaded network, by name: read, checked and written."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.checks import shown
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.moments import NEEDS, Rule
from antevolt.hdl.spec.network import Network, Projection
from antevolt.hdl.spec.outputs import NEEDS_SUMS, OutputMode
from antevolt.hdl.spec.time_constants import HIGHEST, ONE, ratios
from antevolt.host.backend import Access
from antevolt.host.checkpoint import State
from antevolt.host.layout import Layout
from antevolt.host.places import Place, places
from antevolt.host.quantize import learns_times
from antevolt.host.samples import real_array
from antevolt.host.transfer import FORMATS, RAW, differing, formats_of, told, transferred
from antevolt.host.words import signed

__all__ = ["Memory"]

REGISTERS = {
    "register.step": Register.STEP,
    "register.seed": Register.SEED,
    "register.apply_every": Register.APPLY_EVERY,
    "register.learned": Register.LEARNED,
    "register.output_mode": Register.OUTPUT_MODE,
    "register.output_every": Register.OUTPUT_EVERY,
    "register.output_passed": Register.OUTPUT_PASSED,
    "register.output_shift": Register.OUTPUT_SHIFT,
}


SHARED = (Region.WEIGHTS, Region.GRADIENTS, Region.MOMENTS, Region.TIMES)
"""Regions that belong to all streams together."""


class Memory:
    """The weights and states of one loaded network, by name (`Device.state_dict`)."""

    def __init__(self, network: Network, machine: Machine, layout: Layout):
        self.network, self.machine, self.layout = network, machine, layout
        self.places = dict(places(network, machine, layout))

    def read(self, backend: Access) -> State:
        """Everything, as real numbers and as integers."""
        state: State = {}
        for name, place in self.places.items():
            raw = place.gather(backend)
            state[name] = place.fmt.to_real(raw)
            state[name + RAW] = raw
        for name, register in REGISTERS.items():
            state[name] = backend.read(Region.REGISTERS, 0, register, 1)
        state[FORMATS] = told(self.machine.formats)
        return state

    def part(self, backend: Access, names: list[str]) -> State:
        """Some arrays, as real numbers."""
        places = {name: self.places[name] for name in names}
        return {name: place.fmt.to_real(place.gather(backend)) for name, place in places.items()}

    def check(
        self, state: Mapping[str, ArrayLike], rounded: bool = False, streams: bool = True
    ) -> dict[str, Raw]:
        """The integers of a state; raises BadInput for one that does not fit this network.

        A core without sums passes over them. `rounded`: of another core's formats, rounded to this
        one's; `streams`: also what belongs to single streams.
        """
        if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
            raise BadInput(
                f"the state is {shown(state)}; expected arrays by name, as of state_dict"
            )
        if not self.machine.sums:
            state = {k: v for k, v in state.items() if k not in ("sum", "sum" + RAW)}
        state = self._in_own_formats(state, rounded)
        places = {n: p for n, p in self.places.items() if streams or p.region in SHARED}
        known = {*REGISTERS, *self.places, *(name + RAW for name in self.places), FORMATS}
        if unknown := sorted(set(state) - known):
            raise BadInput(f"the state has {', '.join(unknown)}, which this network has not")
        checked = {name: _integers(name, state, place) for name, place in places.items()}
        for name, raw in checked.items():
            if name.endswith((".tau_m", ".tau_r")) and not ((raw >= ONE) & (raw <= HIGHEST)).all():
                raise BadInput(f"{name} is in steps, 1 .. {HIGHEST / ONE:g}; some lie outside")
        for name in REGISTERS:
            if name not in state:
                raise BadInput(f"the state lacks {name}")
            value = real_array(name, state[name], "[1]")
            if value.shape != (1,) or value.dtype.kind not in "iu" or not 0 <= value[0] < 1 << 32:
                raise BadInput(f"{name} is {value}; expected one integer of 32 bits, shape [1]")
            checked[name] = value.astype(np.int64)
        mode = int(checked["register.output_mode"][0])
        if mode not in set(OutputMode) or mode in NEEDS_SUMS and not self.machine.sums:
            raise BadInput(f"register.output_mode is {mode}; this core has no such mode")
        return checked

    def _in_own_formats(
        self, state: Mapping[str, ArrayLike], rounded: bool
    ) -> Mapping[str, ArrayLike]:
        own = self.machine.formats
        source = formats_of(state, own)
        if source == own:
            return state
        if not rounded and any(name.endswith((RAW, "moment")) for name in state):
            raise BadInput(
                f"the state is of a core with {differing(source, own)}; "
                "rounded=True rounds its numbers to those of this core"
            )
        moments = NEEDS[Rule[self.network.optimizer.upper()]]
        return transferred(state, source, own, moments)

    def write(self, backend: Access, checked: Mapping[str, Raw]) -> None:
        """Write what `check` has let through, or part of it."""
        for name, raw in checked.items():
            if name in REGISTERS:
                backend.write(Region.REGISTERS, 0, REGISTERS[name], raw)
            else:
                self.places[name].scatter(backend, raw)
        for l, population in enumerate(self.network.populations, 1):
            if learns_times(population) and f"population.{l}.tau_m" in checked:
                self._tune(backend, l, checked)

    def _tune(self, backend: Access, l: int, checked: Mapping[str, Raw]) -> None:
        """The coefficients that go with learned time constants."""
        population, f = self.network.populations[l - 1], self.machine.formats
        first = self.layout.coefficients[l - 1]
        pairs = zip(*(checked[f"population.{l}.{tau}"] for tau in ("tau_m", "tau_r")), strict=True)
        for i, (tau_m, tau_r) in enumerate(pairs):
            orders = ((tau_m, tau_r), (tau_r, tau_m))[: 1 + population.prospective_errors]
            for mode, (own, other) in enumerate(orders):
                words = np.array(ratios(int(own), int(other), f))
                backend.write(Region.COEFFICIENTS, 0, 8 * (first + i) + 4 * mode + 1, words)

    def snapshot(self, backend: Access) -> dict[str, Raw]:
        """All that a step that does not learn may change; `write` puts it back."""
        kept = {n: p.gather(backend) for n, p in self.places.items() if p.region != Region.WEIGHTS}
        for name, register in REGISTERS.items():
            kept[name] = backend.read(Region.REGISTERS, 0, register, 1)
        return kept

    def learnable(self, memories: Mapping[Region, Raw]) -> Raw:
        """The weights and biases that learn, flat, out of copies of the memories."""
        words = memories[Region.WEIGHTS]
        parts = [
            signed(words[place.unit, place.index] >> place.shift, place.fmt.width).ravel()
            for k, projection in enumerate(self.network.projections)
            for place in (self.places[name] for name in _weight_names(k, projection))
            if projection.learn
        ]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _weight_names(k: int, projection: Projection) -> list[str]:
    """Of the words that learning changes."""
    names = [f"projection.{k}.weight"]
    names += [f"projection.{k}.bias"] if projection.bias else []
    return names + ([f"projection.{k}.backward"] if projection.backward == "learned" else [])


def _integers(name: str, state: Mapping[str, ArrayLike], place: Place) -> Raw:
    """The integers of one array, from itself or from its real numbers."""
    wants = f"[{', '.join(map(str, place.shape))}]"
    if name not in state and name + RAW not in state:
        raise BadInput(f"the state lacks {name}; expected {wants}")
    real = raw = None
    if name in state:
        real = real_array(name, state[name], wants)
    if name + RAW in state:
        raw = real_array(name + RAW, state[name + RAW], wants)
    for label, array in ((name, real), (name + RAW, raw)):
        if array is not None and array.shape != place.shape:
            raise BadInput(f"{label} has shape {list(array.shape)}; expected {wants}")
    if real is not None and not np.isfinite(real).all():
        raise BadInput(f"{name} holds NaN or infinity; expected {wants} of finite numbers")
    if raw is None:
        with np.errstate(over="ignore"):  # an infinite product saturates like any other
            return place.fmt.to_raw(real if real is not None else 0)
    fmt = place.fmt
    if raw.dtype.kind not in "iu" or (raw < fmt.raw_min).any() or (raw > fmt.raw_max).any():
        raise BadInput(f"{name + RAW} is no array of integers {fmt.raw_min}..{fmt.raw_max}")
    with np.errstate(over="ignore"):
        contradicts = real is not None and not np.array_equal(fmt.to_raw(real), raw)
    if contradicts:
        raise BadInput(
            f"{name} and {name + RAW} contradict each other; "
            f"leave out {name + RAW} to load the real numbers"
        )
    return raw.astype(np.int64)
