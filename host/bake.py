# SPDX-License-Identifier: Apache-2.0
"""A network as what a core's memories hold at power-up, so that nobody has to load it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.contents import Contents
from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network
from antevolt.host import checkpoint
from antevolt.host.compile import Image, compile
from antevolt.host.loading import load
from antevolt.host.outputs import OutputSetting
from antevolt.host.state import Memory

__all__ = ["Baked", "bake"]


@dataclass(frozen=True)
class Baked:
    """A network in the contents of a core.

    image      the compiled network
    contents   words of all memories, and registers
    saturated  weights and biases that were beyond the format w
    """

    image: Image
    contents: Contents
    saturated: int

    def to_dict(self) -> dict[str, Any]:
        """What a report says: fingerprints of network, program and contents."""
        return {
            "network": self.image.network.fingerprint,
            "program": f"{self.image.fingerprint:08x}",
            "contents": self.contents.digest,
            "saturated_weights": self.saturated,
            "cycles_learning": self.image.timetable.cycles_learning,
        }


def bake(
    network: Network,
    machine: Machine,
    parameters: Mapping[str, Any] | None = None,
    state: str | Path | None = None,
    outputs: str = "every",
) -> Baked:
    """The contents of a core into which `Device.load` has just put this network.

    parameters, outputs  as `Device.load` takes them
    state                a file of `Device.save`, which the core then goes on from

    Raises DoesNotFit for a network that the core cannot hold, BadNetwork for one that it cannot run
    or for parameters that are not its own, BadFile for a state that does not fit.
    """
    setting = OutputSetting(outputs).check(machine)
    checked = None if parameters is None else network.check_parameters(parameters)
    image, contents = compile(network, machine), Contents(machine)
    lost = load(contents, image, checked or network.random_parameters(network.seed), setting)
    if state is not None:
        memory = Memory(network, machine, image.layout)
        found = checkpoint.read(state, network, machine.formats)
        try:
            memory.write(contents, memory.check(found))
        except BadInput as error:
            raise BadFile(f"{state} does not fit this core: {error}") from error
    return Baked(image, contents, lost)
