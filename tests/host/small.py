# SPDX-License-Identifier: Apache-2.0
"""What the tests of the host share: a small network, and a look at all memories."""

import numpy as np

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region, Register
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import Device
from antevolt.host.verify_worker import COMPARED, Memories, memories

SMALL = Machine()  # one row, one stream: its simulator is built once and kept
NETWORK = Network(
    inputs=2,
    populations=(
        Population(3, "tanh", (1.0, 2.0, 3.0), (1.0, 2.0, 1.5), 0.1),
        Population(1, "linear", 2.0, 1.5),
    ),
    eta=2.0**-5,
    seed=11,
)


def everything(device: Device) -> Memories:
    """All memories of a device, to see that nothing changed. Slots are counted by every step, also
    by those whose traces are taken back."""
    found = memories(device.backend)
    found[Region.REGISTERS][:, COMPARED.index(Register.SLOTS)] = 0
    return found


def same(a: Memories, b: Memories) -> bool:
    return all(np.array_equal(a[region], b[region]) for region in a)


def signals(steps: int, units: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (steps, 1, units))
