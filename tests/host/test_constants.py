# SPDX-License-Identifier: Apache-2.0
"""`Device.set`: what a core does then is what one does that was loaded so."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import AntevoltError, BadInput, BadNetwork
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import Device, open
from small import everything, same

MACHINE = Machine(rows=2, streams=2, moments=2, time_constants=True, io_depth=128)
TAUS = (2.0, 3.0, 4.0, 5.0)
NETWORK = Network(
    2,
    (
        Population(4, "tanh", TAUS, 1.5, 0.1, g=0.9),
        Population(3, "tanh", 2.0, 1.5, eta_tau_m=2.0**-6),
        Population(3, "linear", rule="instantaneous"),
    ),
    cost="cross_entropy",
    optimizer="adam",
    eta=2.0**-7,
    apply_every=2,
    seed=5,
)
RNG = np.random.default_rng(7)
X, Y = RNG.uniform(-1, 1, (30, 2, 2)), np.eye(3)[RNG.integers(0, 3, (30, 2))]


def equal(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return set(a) == set(b) and all(np.array_equal(a[name], b[name]) for name in a)


def loaded(network: Network = NETWORK, device: str = "model") -> Device:
    opened = open(device, machine=MACHINE)
    opened.load(network)
    return opened


CHANGES: dict[str, tuple[int | None, dict[str, Any]]] = {
    "beta": (None, {"beta": 0.4}),
    "momentum": (None, {"momentum": 0.5, "momentum2": 0.75}),
    "apply_every": (None, {"apply_every": 3}),
    "softmax_gain": (None, {"softmax_gain": 2.5}),
    "all": (None, {"beta": 2.0, "softmax_gain": 0.5, "apply_every": 1, "momentum2": 0.5}),
    "tau": (1, {"tau_m": (5.0, 4.0, 3.0, 2.0), "tau_r": 2.5}),
    "gamma": (1, {"gamma": 0.3}),
    "error filter": (1, {"kappa": 1.25, "tau_v": (1.0, 2.0, 3.0, 4.0)}),
    "g": (1, {"g": 0.25}),
    "gamma where tau learns": (2, {"gamma": 0.2, "g": 0.5}),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("device", ["model", "model:numpy"])
def test_as_if_it_had_been_loaded_so(device: str, name: str) -> None:
    population, constants = CHANGES[name]
    changed, fresh = loaded(device=device), None
    changed.partial_fit(X, Y)
    changed.set_eta(0, 2.0**-9)
    state = changed.state_dict()
    network = changed.set(population, **constants)
    assert network == changed.network != NETWORK
    assert set(network.random_parameters(1)) == set(NETWORK.random_parameters(1))
    expected = {**state}
    if "apply_every" in constants:
        expected["register.apply_every"] = np.array([constants["apply_every"]])
    assert equal(changed.state_dict(), expected)
    fresh = loaded(network, device)
    fresh.set_eta(0, 2.0**-9)
    fresh.load_state_dict(expected)
    unchanged = loaded(device=device)
    unchanged.set_eta(0, 2.0**-9)
    unchanged.load_state_dict(state)
    for one in (changed, fresh, unchanged):
        one.partial_fit(X[::-1], Y[::-1])
    assert equal(changed.state_dict(), fresh.state_dict())
    assert not equal(changed.state_dict(), unchanged.state_dict())
    assert changed.image.eta == fresh.image.eta


def test_there_and_back_leaves_no_trace() -> None:
    device = loaded()
    before = everything(device)
    device.set(1, tau_m=2.5, gamma=0.5)
    assert not same(before, everything(device))
    device.set(1, tau_m=TAUS, gamma=0.1)
    device.set(beta=3.0)
    device.set(beta=NETWORK.beta)
    assert same(before, everything(device))
    assert device.network == NETWORK


@pytest.mark.parametrize(
    ("population", "constants", "message"),
    [
        (None, {}, "nothing cannot be changed"),
        (None, {"optimizer": "sgd"}, "optimizer cannot be changed; of a network there are beta"),
        (None, {"tau_m": 2.0}, r"tau_m is of a population: set\(population, tau_m=\.\.\.\)"),
        (1, {"beta": 2.0}, r"beta is of the network: set\(beta=\.\.\.\)"),
        (1, {"phi": "relu"}, "phi cannot be changed; of a population there are tau_m"),
        (4, {"g": 0.5}, r"population is 4; this network has 1\.\.3"),
        (True, {"g": 0.5}, "population is True"),
        (2, {"tau_m": 3.0}, "population 2 learn; load_state_dict"),
        (None, {"apply_every": 0}, "apply_every is 0"),
        (1, {"tau_m": (1.0, 2.0)}, "tau_m"),
        (1, {"gamma": float("nan")}, "gamma"),
        (None, {"momentum": 1.5}, "momentum"),
    ],
)
def test_what_cannot_be_is_named_and_changes_nothing(
    population: int | None, constants: dict[str, Any], message: str
) -> None:
    device = loaded()
    before = everything(device)
    with pytest.raises(AntevoltError, match=message):
        device.set(population, **constants)
    assert same(before, everything(device))
    assert device.network == NETWORK


def test_a_change_that_needs_another_program() -> None:
    """Presynaptic traces: a filtered copy of the rates for every time constant."""
    hidden = Population(4, "tanh", (2.0, 2.0, 4.0, 4.0), 1.0, rule="trace")
    network = Network(2, (hidden, Population(3, "linear", rule="instantaneous")))
    device = open("model", machine=replace(MACHINE, time_constants=False))
    device.load(network)
    with pytest.raises(BadInput, match="needs another program; load it anew"):
        device.set(1, tau_m=(2.0, 3.0, 4.0, 5.0))
    device.set(1, tau_m=(3.0, 3.0, 5.0, 5.0))
    with pytest.raises(BadNetwork):
        device.set(1, tau_m=-1.0)
