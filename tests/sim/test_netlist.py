# SPDX-License-Identifier: Apache-2.0
"""What synthesis makes of the core against the model: 240 learning steps, every word."""

import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import Device
from antevolt.host.model import ModelBackend
from antevolt.host.random_samples import random_batch
from antevolt.host.samples import Sizes
from antevolt.host.verify_worker import memories
from antevolt.sim.netlist.netlist import FAMILIES, netlist, simulator
from antevolt.sim.rtl.device import RtlBackend

STEPS = 240
SMALL = {
    "w_depth": 16, "r_depth": 16, "state_depth": 16, "q_depth": 16, "io_depth": 16,
    "program_depth": 16, "phi_log2": 4, "tables": 1, "traces": False, "softmax": False,
    "sums": False,
}  # fmt: skip
MACHINES = {
    "ice40": Machine(formats=Formats(word=16), **SMALL),  # type: ignore[arg-type]
    "ecp5": Machine(**SMALL),  # type: ignore[arg-type]
}
NETWORK = Network(
    2,
    (Population(3, "tanh", (1.0, 2.5, 4.0), 1.5, 0.1), Population(2, "linear", 1.5, 1.0)),
    eta=2.0**-5,
    seed=3,
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_netlist_learns_as_the_model_does(family: str) -> None:
    machine = MACHINES[family]
    backends = ModelBackend(machine), RtlBackend(machine, 600, simulator=simulator(machine, family))
    outputs = []
    for backend in backends:
        Device(family, backend).load(NETWORK)
        sizes = Sizes(machine.total_streams, 2, 2, machine.formats)
        batch = random_batch(sizes, STEPS, 4)
        x, y = batch.words(machine.formats)
        outputs.append(backend.run(x, y, STEPS, machine.total_streams * 2).tolist())
    assert outputs[0] == outputs[1]
    model, device = (memories(backend) for backend in backends)
    assert [r.name for r in Region if (model[r] != device[r]).any()] == []
    fresh = ModelBackend(machine)
    Device("fresh", fresh).load(NETWORK)
    assert (memories(fresh)[Region.WEIGHTS] != model[Region.WEIGHTS]).any()


def test_other_families_are_refused() -> None:
    with pytest.raises(BadInput, match="no family 'pal'; there are ice40, ecp5"):
        netlist(MACHINES["ecp5"], "pal")
