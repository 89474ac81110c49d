# SPDX-License-Identifier: Apache-2.0
"""A network into a core's memories: the clean start that everything begins from."""

from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import Parameters
from antevolt.host.backend import Access
from antevolt.host.compile import Image
from antevolt.host.outputs import OutputSetting

__all__ = ["load"]

EVERY = OutputSetting()


def load(core: Access, image: Image, parameters: Parameters, setting: OutputSetting = EVERY) -> int:
    """Write a compiled network, its weights, zero states and what the core puts out; returns how
    many weights and biases were beyond the format w."""
    banks, saturated = image.layout.pack_weights(parameters)
    for words in image.words:
        core.write(*words)
    for row, bank in enumerate(banks):
        core.write(Region.WEIGHTS, row, 0, bank)
    setting.write(core)
    return saturated
