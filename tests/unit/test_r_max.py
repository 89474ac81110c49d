# SPDX-License-Identifier: Apache-2.0
"""The scale of phi: what it means in the float models, in the tables and on the core."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_phi_tables import looked_up

from antevolt.hdl.spec.errors import BadNetwork
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import PHI, Network, Population
from antevolt.host.compile import compile
from antevolt.host.device import open
from antevolt.host.phi_tables import FUNCTIONS, table
from antevolt.sim.golden.floats import CompiledFloats
from antevolt.sim.golden.reference import FloatNetwork

STEPS, STREAMS = 40, 3


def network(r_max: float, phi: str = "tanh", **settings: Any) -> Network:
    """Two hidden populations of that scale; the output is linear."""
    hidden = [
        Population(n, phi, 3.0, 1.0, rule="instantaneous", r_max=r_max)  # type: ignore[arg-type]
        for n in (7, 5)
    ]
    return Network(2, (*hidden, Population(3, "linear", rule="instantaneous")), **settings)


def inputs(scale: float = 1.0) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    x = 2 * rng.normal(size=(STEPS, STREAMS, 2))
    return {"x": scale * x, "y": scale * rng.normal(size=(STEPS, STREAMS, 3))}


def started(at: Network, scale: float = 1.0) -> dict[str, Any]:
    drawn = at.random_parameters(1, gain=3.0)
    return {k: v * (scale if "bias" in k else 1.0) for k, v in drawn.items()}


@pytest.mark.parametrize("kind", [FloatNetwork, CompiledFloats])
def test_a_network_half_as_large_does_the_same(kind: Any) -> None:
    """Inputs, biases, targets and r_max halved: so are all rates; gradients of weights, by the
    errors halved, are a quarter, those of biases a half."""
    whole, half = network(1.0, apply_every=1000), network(0.5, apply_every=1000)
    models = [kind(whole, started(whole), streams=STREAMS)]
    models.append(kind(half, started(half, 0.5), streams=STREAMS))
    outs = [m.run(**inputs(s)).out for m, s in zip(models, (1.0, 0.5), strict=True)]
    assert outs[1] == pytest.approx(outs[0] / 2, rel=1e-12)
    assert np.abs(models[0].state("r")[1]).max() > 0.5
    for one, other in zip(*(m.state("r") for m in models), strict=True):
        assert other == pytest.approx(one / 2, rel=1e-12)
    for one, other in zip(*(m.gradient.weights for m in models), strict=True):
        assert other == pytest.approx(one / 4, rel=1e-9)
    for one, other in zip(*(m.gradient.biases for m in models), strict=True):
        assert other == pytest.approx(one / 2, rel=1e-9)


@pytest.mark.parametrize("phi", PHI)
def test_the_compiled_float_model_is_the_same(phi: str) -> None:
    at = network(0.75, phi, apply_every=4, eta=2.0**-10)
    models = [kind(at, started(at), streams=STREAMS) for kind in (FloatNetwork, CompiledFloats)]
    outs = [m.run(**inputs()).out for m in models]
    assert outs[1] == pytest.approx(outs[0], abs=1e-10)


@pytest.mark.parametrize(("phi", "r_max"), [("linear", 3.0), ("relu", 0.3)])
def test_what_any_scale_leaves_as_it_is_shares_a_table(phi: str, r_max: float) -> None:
    assert Population(2, phi, r_max=r_max).function == (phi, 1.0)


@pytest.mark.parametrize("r_max", [0.5, 0.75, 2.0])
@pytest.mark.parametrize("phi", [phi for phi in FUNCTIONS if phi not in ("relu", "exp")])
def test_tables(phi: str, r_max: float) -> None:
    """As near as those of phi itself, by how much sharper the bend is."""
    f = Formats(18)
    p = f.r.to_real(np.arange(f.r.raw_min, f.r.raw_max + 1))
    function, derivative = FUNCTIONS[phi]
    for which, (wanted, plain) in enumerate(
        ((r_max * function(p / r_max), function(p)), (derivative(p / r_max), derivative(p)))
    ):
        errors = []
        for words, right in ((table(phi, f, 8, r_max), wanted), (table(phi, f, 8), plain)):
            near = p < f.r.real_max - 1 / 16  # in the last interval a softplus leaves the word
            if phi == "hard_tanh" and which:
                near &= np.abs(np.abs(p) - (r_max if right is wanted else 1)) > f.r.lsb
            found = f.r.to_real(looked_up(words[which], f, 8)[2])
            errors.append(np.abs(found - right)[near].max())
        sharper = max(1.0, r_max ** -(1 + which))
        assert errors[0] <= 1.3 * sharper * errors[1] + 2 * f.r.lsb


@pytest.mark.parametrize(
    ("phi", "r_max", "said"),
    [("tanh", 0.25, "bends too fast"), ("hard_tanh", 0.55, "multiple of 0.0625")],
)
def test_what_no_table_holds_is_refused(phi: str, r_max: float, said: str) -> None:
    with pytest.raises(BadNetwork, match=said):
        compile(network(r_max, phi), Machine())


def test_a_corner_beyond_the_word_is_none() -> None:
    f = Formats(18)
    found = looked_up(table("hard_tanh", f, 8, 9.3)[0], f, 8)
    assert (found[2] == found[0]).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf"), "one"])
def test_bad_values(wrong: Any) -> None:
    with pytest.raises(BadNetwork, match="r_max"):
        Population(2, r_max=wrong)


def test_it_is_in_files_only_where_it_says_something() -> None:
    usual, other = network(1.0), network(0.5)
    assert "r_max" not in usual.to_json()
    assert Network.from_json(other.to_json()) == other
    assert other.fingerprint != usual.fingerprint


def test_the_core_follows_the_float_model() -> None:
    """Both scales in one network, learning; saturated neurons end at theirs."""
    at = network(0.5, eta=2.0**-12)
    at = replace(at, populations=(replace(at.populations[0], r_max=1.0), *at.populations[1:]))
    with open("model", machine=Machine(streams=STREAMS, tables=2)) as device:
        device.load(at, started(at))
        found = np.array(list(device.stream(*inputs(0.5).values(), learn=True)))
        state, saturated = device.state_dict(), device.counters()["saturated"]
    model = FloatNetwork(at, started(at), streams=STREAMS)
    wanted = model.run(**inputs(0.5)).out
    assert not sum(saturated.values())
    assert np.abs(found - wanted).max() < 0.01
    assert np.abs(state["population.2.r"]).max() <= 0.5
    assert np.abs(model.state("r")[0]).max() > 0.5
