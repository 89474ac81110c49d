# SPDX-License-Identifier: Apache-2.0
"""Devices and networks for the tests of the host."""

from collections.abc import Iterator

import numpy as np
import pytest

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import Device, open
from antevolt.host.verify_worker import Memories, memories

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


@pytest.fixture(params=["model", "rtl"])
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A small device with `NETWORK` loaded."""
    with open(request.param, machine=SMALL, deadline=30.0) as opened:
        opened.load(NETWORK)
        yield opened


def everything(device: Device) -> Memories:
    """All memories of a device, to see that nothing changed."""
    return memories(device.backend)


def same(a: Memories, b: Memories) -> bool:
    return all(np.array_equal(a[region], b[region]) for region in a)


def signals(steps: int, units: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (steps, 1, units))
