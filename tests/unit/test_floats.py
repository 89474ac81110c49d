# SPDX-License-Identifier: Apache-2.0
"""The compiled float model against the one in numpy, on networks with every mechanism."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from graphs import GRAPHS

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.hdl.spec.network import PHI, Network, Population
from antevolt.sim.golden import floats as module
from antevolt.sim.golden.floats import PHIS, CompiledFloats
from antevolt.sim.golden.reference import FloatNetwork

STEPS, CLOSE = 60, 1e-10
STATES = ("u", "v", "r", "e", "slope", "u_dot", "h_u", "z")


def pair(network: Network, streams: int, **options: Any) -> list[FloatNetwork]:
    start = network.random_parameters(3)
    return [kind(network, start, streams=streams, **options)
            for kind in (FloatNetwork, CompiledFloats)]  # fmt: skip


def difference(models: list[FloatNetwork]) -> float:
    """The largest one of all parameters and states."""
    one, other = models
    arrays = [[*m.parameters.values(), *m.gradient.weights, *m.tau_m, *m.tau_r] for m in models]
    arrays = [
        [*own, *(v for name in STATES for v in m.state(name))]
        for own, m in zip(arrays, models, strict=True)
    ]
    assert one.steps == other.steps
    assert one.learned == other.learned
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in zip(*arrays, strict=True))


def data(network: Network, streams: int, seed: int, gaps: bool) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    y = np.eye(network.outputs)[rng.integers(0, network.outputs, (STEPS, streams))]
    flags = {}
    if gaps:
        names = {"valid": 0.8, "first": 0.1, "target_valid": 0.7, "learn": 0.6}
        flags = {name: rng.random((STEPS, streams)) < share for name, share in names.items()}
    return {"x": rng.normal(size=(STEPS, streams, network.inputs)), "y": y, **flags}


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("streams", "gaps"), [(1, False), (5, True), (9, True)])
def test_equals_numpy(name: str, schedule: Any, streams: int, gaps: bool) -> None:
    """Several runs, changes of the weights in the midst of them, all flags."""
    network = replace(GRAPHS[name], schedule=schedule, apply_every=7, eta=2.0**-6)
    models = pair(network, streams)
    for seed in range(2):
        given = data(network, streams, seed, gaps)
        outs = [model.run(**given).out for model in models]
        seen = given.get("valid", np.ones((STEPS, streams), dtype=bool))
        assert np.abs(outs[0] - outs[1])[seen].max() < CLOSE
        assert difference(models) < CLOSE
    predicted = [model.predict(given["x"]) for model in models]
    assert np.abs(predicted[0] - predicted[1]).max() < CLOSE
    assert difference(models) < CLOSE  # a prediction leaves no trace


@pytest.mark.parametrize("phi", PHI)
def test_activations(phi: Any) -> None:
    network = Network(2, (Population(9, phi, 2.0), Population(3, "linear")), apply_every=4)
    models = pair(network, 4)
    for model in models:
        model.run(**data(network, 4, 0, False))
    assert difference(models) < CLOSE
    assert set(PHIS) == set(PHI)


@pytest.mark.parametrize(
    "options",
    [
        {"mean_over_streams": True, "learn_from": 11},
        {"eta_tau": 0.01, "eta_tau_r": 0.01, "tau_min": 0.5},
    ],
)
def test_options(options: dict[str, Any]) -> None:
    network = replace(GRAPHS["skip"], apply_every=3)
    models = pair(network, 4, **options)
    for model in models:
        model.eta = [2.0**-5] * len(network.projections)
        model.run(**data(network, 4, 0, True))
    assert difference(models) < CLOSE
    for model in models:  # recorded runs are those of numpy
        assert model.run(**data(network, 4, 1, True), record=True).energy.shape == (STEPS, 4)
    assert difference(models) < CLOSE


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise BuildFailed("there is no C++ compiler")

    monkeypatch.setattr(module, "floats", none)
    with pytest.raises(BuildFailed):
        CompiledFloats(GRAPHS["skip"], GRAPHS["skip"].random_parameters(0))
