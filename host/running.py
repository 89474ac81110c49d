# SPDX-License-Identifier: Apache-2.0
"""A network that is loaded on a core: its image, and the samples it has had so far."""

from typing import Any

import numpy as np

from antevolt.hdl.spec.flags import TARGETED
from antevolt.hdl.spec.formats import Raw
from antevolt.hdl.spec.memory_map import KINDS, Region, Register
from antevolt.hdl.spec.network import Network
from antevolt.host.backend import Backend
from antevolt.host.compile import Image
from antevolt.host.energy import Energy, energy_of
from antevolt.host.outputs import Output, Sent
from antevolt.host.samples import Batch, Sizes
from antevolt.host.state import Memory
from antevolt.host.substeps import InputSetting

__all__ = ["Running"]


class Running:
    """Made when a network is loaded; another load makes another one.

    image      what was loaded, or changed since
    memory     where its arrays lie
    inputs     how samples become steps
    last       the batch whose last step the core ran last; None where that is not known
    saturated  inputs, targets and weights that were beyond their formats
    """

    def __init__(self, backend: Backend, image: Image, saturated_weights: int):
        self._backend, self.image = backend, image
        self.memory = Memory(image.network, backend.machine, image.layout)
        self.inputs = InputSetting()
        self.last: Batch | None = None
        self.saturated = {"inputs": 0, "targets": 0, "weights": saturated_weights}

    @property
    def network(self) -> Network:
        return self.image.network

    @property
    def sizes(self) -> Sizes:
        """Streams, inputs, outputs and formats of one step."""
        return Sizes.of(self.network, self._backend.machine)

    def change(self, image: Image) -> None:
        """The same network with other constants."""
        self.image = image
        self.memory = Memory(image.network, self._backend.machine, image.layout)

    def run(self, batch: Batch, start: int = 0) -> list[Output]:
        """What the steps of a batch put out; `start` is the number of the first."""
        sizes, backend = self.sizes, self._backend
        if not batch.steps:
            return []
        batch = self.inputs.expand(batch, self._inputs_before())
        x, y = batch.words(sizes.formats)
        sent = Sent.read(backend)
        count = int(sent.words(batch.flags, sizes.outputs).sum())
        words = backend.run(x, y, batch.steps, sizes.streams * sizes.outputs, count)
        self.saturated["inputs"] += batch.saturated_inputs
        self.saturated["targets"] += batch.saturated_targets
        self.last = batch
        return list(sent.parse(words, batch.flags, sizes, start))

    def energy(self) -> Energy:
        """As `Device.energy`."""
        sizes = self.sizes
        targets = np.zeros((sizes.streams, sizes.outputs))
        targeted = np.zeros(sizes.streams, dtype=np.bool_)
        if self.last is not None:
            targets = sizes.formats.r.to_real(self.last.y[-1])
            targeted = self.last.flags[-1] & TARGETED == TARGETED
        return energy_of(self.memory, self._backend, targets, targeted)

    def counters(self) -> dict[str, Any]:
        """As `Device.counters`."""
        words = self._backend.read(Region.REGISTERS, 0, 0, Register.SATURATED + len(KINDS))
        values = [int(w) for w in words]
        counts = self._backend.machine.saturations
        kinds = KINDS if counts else ()
        return {
            "cycles": values[Register.CYCLES],
            "busy": values[Register.BUSY],
            "stalled_input": values[Register.STALLED_INPUT],
            "stalled_output": values[Register.STALLED_OUTPUT],
            "steps": values[Register.STEP],
            "slots": values[Register.SLOTS],
            "saturated": dict(zip(kinds, values[Register.SATURATED :], strict=counts)),
            "saturated_sums": values[Register.SATURATED_SUMS] if counts else None,
            "saturated_on_host": dict(self.saturated),
        }

    def _inputs_before(self) -> Raw:
        """[S, inputs] as they stand in the core, where they matter."""
        if self.inputs.looks_back:
            return self.memory.places["population.0.r"].gather(self._backend)
        return np.zeros((self.sizes.streams, self.sizes.inputs), dtype=np.int64)
