# SPDX-License-Identifier: Apache-2.0
"""The energy of a device against that of the float reference."""

from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import open
from antevolt.host.energy import Energy
from antevolt.sim.golden.cost import cost
from antevolt.sim.golden.reference import FloatNetwork

pytestmark = pytest.mark.xdist_group("outputs")  # whose simulator is the same

SMALL: dict[str, Any] = {"w_depth": 64, "r_depth": 32, "state_depth": 32, "q_depth": 16}
MACHINE = Machine(rows=2, streams=2, contexts=2, multipliers=5, io_depth=16, **SMALL)
STREAMS, STEPS, OUTPUTS = 4, 30, 3
KINDS: dict[str, dict[str, Any]] = {
    "squared": {},
    "parallel": {"schedule": "parallel"},
    "softmax": {"cost": "cross_entropy", "softmax_gain": 2.5},
    "leaky": {"cost": "cross_entropy", "tau_z": 4.0},
}


def network(kind: str) -> Network:
    return Network(
        2,
        (Population(5, "tanh", 2.5, 1.5, 0.1), Population(OUTPUTS, "linear", 1.5, 1.0)),
        beta=0.75,
        eta=2.0**-6,
        seed=3,
        **KINDS[kind],
    )


def samples(kind: str) -> dict[str, Any]:
    rng = np.random.default_rng(2)
    y = rng.uniform(-1, 1, (STEPS, STREAMS, OUTPUTS))
    if "cost" in KINDS[kind]:
        y = np.eye(OUTPUTS)[rng.integers(0, OUTPUTS, (STEPS, STREAMS))]
    chances = {"valid": 0.9, "first": 0.1, "target_valid": 0.7}
    flags = {name: rng.random((STEPS, STREAMS)) < p for name, p in chances.items()}
    return {"samples": rng.uniform(-1, 1, (STEPS, STREAMS, 2)), "targets": y, **flags}


def energies(name: str, kind: str) -> list[Energy]:
    """After each step, learning."""
    data = samples(kind)
    with open(name, machine=MACHINE) as device:
        device.load(network(kind))
        found = []
        for n in range(STEPS):
            list(device.stream(learn=True, **{k: v[n : n + 1] for k, v in data.items()}))
            found.append(device.energy())
        return found


@pytest.mark.parametrize("kind", KINDS)
def test_energies_are_those_of_the_reference(kind: str) -> None:
    data, net = samples(kind), network(kind)
    exact = FloatNetwork(net, net.random_parameters(net.seed), streams=STREAMS)
    x, y = data.pop("samples"), data.pop("targets")
    run = exact.run(x, y, learn=True, record=True, **data)
    found = energies("model", kind)
    for l, energy in enumerate(run.e_energy):
        np.testing.assert_allclose([f.errors[l] for f in found], energy, atol=0.01)
    total = np.array([f.total for f in found])
    wanted = run.energy
    if net.schedule == "parallel":  # whose Run.energy has the outputs of the step before
        own = net.beta * cost(net.cost, run.r[-1], y, net.softmax_gain)
        wanted = sum(run.e_energy) + np.where(data["target_valid"] & data["valid"], own, 0.0)
    np.testing.assert_allclose(total, wanted, atol=0.01)
    assert total.max() > 0.5
    assert {bool(c) for f in found for c in f.cost} == {True, False}


def test_the_netlist_has_the_same_energy() -> None:
    for a, b in zip(energies("model", "softmax"), energies("rtl", "softmax"), strict=True):
        assert (a.errors == b.errors).all()
        assert (a.cost == b.cost).all()


def test_targets_are_forgotten_and_predictions_do_not_count() -> None:
    data = samples("squared")
    with open("model", machine=MACHINE) as device:
        device.load(network("squared"))
        assert not device.energy().total.any()
        device.partial_fit(data["samples"], data["targets"])
        before = device.energy()
        device.predict(data["samples"])
        assert (device.energy().total == before.total).all()
        assert before.cost.all()
        device.load_state_dict(device.state_dict())
        assert (device.energy().errors == before.errors).all()
        assert not device.energy().cost.any()
