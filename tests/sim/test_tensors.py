# SPDX-License-Identifier: Apache-2.0
"""The rival in tensors does the job: what it computes is what the float reference computes."""

import sys

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.peers import bench, tensors

SIZES, STREAMS, STEPS = (2, 6, 5, 3), 4, 60


def reference(job: tensors.Tensors) -> FloatNetwork:
    """The float reference with the same start."""
    network = Network(
        SIZES[0],
        tuple(
            Population(n, "linear" if n == SIZES[-1] else "tanh", tau_m=1.2, tau_r=1.2)
            for n in SIZES[1:]
        ),
        tuple(Projection(k, k + 1, bias=False) for k in range(len(SIZES) - 1)),
        eta=tensors.ETA,
        dt=tensors.DT,
    )
    weights = {f"{k}.weight": np.asarray(w, float) for k, w in enumerate(job.weights)}
    return FloatNetwork(
        network, weights, streams=STREAMS, mean_over_streams=True, tau_m=job.tau_m, tau_r=job.tau_r
    )


def test_it_follows_the_reference() -> None:
    job = tensors.network(np, STREAMS, SIZES)
    start = [w.copy() for w in job.weights]
    twin, draw = reference(job), np.random.default_rng(3)
    x = draw.normal(size=(STEPS, STREAMS, SIZES[0]))
    y = 200 * draw.normal(size=(STEPS, STREAMS, SIZES[-1]))
    out = np.stack([job.step(a, b) for a, b in zip(x, y, strict=True)])
    np.testing.assert_allclose(out, twin.run(x, y).out, atol=2e-5)
    for before, own, theirs in zip(start, job.weights, twin.weights, strict=True):
        np.testing.assert_allclose(own, theirs, atol=2e-5)
        assert np.abs(own - before).max() > 0.01


def test_without_pytorch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(BadInput, match=r"pip install -e '\.\[torch\]'"):
        tensors.run(1, SIZES)
    said: list[str] = []
    assert not list(bench.pytorch(said.append))
    assert ".[torch]" in said[-1]


def test_a_measurement_has_what_the_row_takes() -> None:
    found = tensors._fastest(np, 2, SIZES)
    assert found["synapses"] == 12 + 30 + 15
    assert found["us_per_step"] > 0
    assert found["learned_synapses_per_s"] == pytest.approx(
        found["synapses"] * 2 / found["us_per_step"] * 1e6
    )
