# SPDX-License-Identifier: Apache-2.0
"""The float model where trajectories do not go: streams that come and go, and other switches."""

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput, BadNetwork
from antevolt.hdl.spec.network import PHI, Network, Population, Projection
from antevolt.sim.golden.activations import ACTIVATIONS
from antevolt.sim.golden.reference import FloatNetwork

SMALL = Network(
    inputs=2,
    populations=(
        Population(3, "tanh", (0.5, 1.0, 0.3), (0.1, 1.0, 0.1), gamma=0.1),
        Population(2, "linear", 0.4, 0.2),
    ),
    dt=0.1,
    eta=0.01,
)


def data(steps: int, streams: int, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(steps, streams, 2)), rng.normal(size=(steps, streams, 2))


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_gradient_is_a_sum_over_streams_and_steps(schedule: str) -> None:
    network = SMALL.with_(apply_every=1000, schedule=schedule)
    parameters, (x, y) = network.random_parameters(1), data(20, 3)
    together = FloatNetwork(network, parameters, streams=3)
    together.run(x, y)
    alone = [FloatNetwork(network, parameters) for _ in range(3)]
    for stream, model in enumerate(alone):
        model.run(x[:, stream], y[:, stream])
    for k in range(2):
        total = sum(model.gradient.weights[k] for model in alone)
        np.testing.assert_allclose(together.gradient.weights[k], total, rtol=1e-12)
        total = sum(model.gradient.tau_m[k] for model in alone)
        np.testing.assert_allclose(together.gradient.tau_m[k], total, rtol=1e-12)


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_invalid_steps_are_as_if_they_had_not_been(schedule: str) -> None:
    network = SMALL.with_(schedule=schedule)
    parameters, (x, y) = network.random_parameters(1), data(30, 1)
    valid = np.random.default_rng(2).random((30, 1)) < 0.6
    # A frozen stream ignores all that comes with the step.
    first = ~valid
    gaps, dense = FloatNetwork(network, parameters), FloatNetwork(network, parameters)
    with_gaps = gaps.run(x, y, valid=valid, first=first, record=True)
    without = dense.run(x[valid[:, 0]], y[valid[:, 0]], record=True)
    for quantity in "uvre":
        for kept, wanted in zip(
            getattr(with_gaps, quantity), getattr(without, quantity), strict=True
        ):
            np.testing.assert_array_equal(kept[valid[:, 0]], wanted)
    for mine, other in zip(gaps.weights, dense.weights, strict=True):
        np.testing.assert_array_equal(mine, other)
    frozen = np.flatnonzero(~valid[1:, 0]) + 1
    np.testing.assert_array_equal(with_gaps.u[0][frozen], with_gaps.u[0][frozen - 1])


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_first_starts_from_the_zero_state(schedule: str) -> None:
    network = SMALL.with_(schedule=schedule, apply_every=1000)
    parameters, (x, y) = network.random_parameters(1), data(30, 2)
    first = np.zeros((30, 2), bool)
    first[12, 1] = True
    model = FloatNetwork(network, parameters, streams=2)
    run = model.run(x, y, first=first, record=True)
    fresh = FloatNetwork(network, parameters)
    wanted = fresh.run(x[12:, 1], y[12:, 1], record=True)
    on = FloatNetwork(network, parameters).run(x[:, 0], y[:, 0], record=True)
    for quantity in "uvre":
        for k in range(2):
            got = getattr(run, quantity)[k]
            np.testing.assert_allclose(got[12:, 1], getattr(wanted, quantity)[k], atol=1e-15)
            np.testing.assert_allclose(got[:, 0], getattr(on, quantity)[k], atol=1e-15)
    np.testing.assert_allclose(run.out[12:, 1], wanted.out, atol=1e-15)


def test_an_error_filter_apart_from_the_membrane() -> None:
    """e = v + kappa (eps - v) with v of its own time constant; rates are those of the membrane."""
    plain = Network(1, (Population(1, "linear", tau_m=4.0), Population(1, "linear")))
    hidden = replace(plain.populations[0], kappa=1.5, tau_v=2.0)
    apart = plain.with_(populations=(hidden, plain.populations[1]))
    parameters = plain.random_parameters(1)
    x, y = np.random.default_rng(2).normal(size=(2, 30, 1))
    results = [
        FloatNetwork(n.with_(apply_every=1000), parameters).run(x, y, record=True)
        for n in (plain, apart)
    ]
    np.testing.assert_array_equal(results[0].out, results[1].out)
    v, weight = 0.0, parameters["1.weight"][0, 0]
    for n, wrong in enumerate(y - results[1].out):
        eps = weight * wrong
        assert results[1].e[0][n] == pytest.approx(v + 1.5 * (eps - v))
        v += (eps - v) / 2.0


@pytest.mark.parametrize("name", ["kappa", "tau_v"])
def test_error_filters_that_make_no_sense_are_refused(name: str) -> None:
    one: dict[str, Any] = {name: 2.0}
    with pytest.raises(BadNetwork, match=f"{name} is for rule gle"):
        Population(2, rule="trace", **one)
    with pytest.raises(BadNetwork, match="time constants learn"):
        Population(2, eta_tau_m=0.5, **one)
    for wrong in (-1.0, float("nan"), (1.0, float("inf"))):
        with pytest.raises(BadNetwork, match=f"{name} is"):
            Population(2, **{name: wrong})
    with pytest.raises(BadNetwork, match="below dt"):
        Network(1, (Population(2, tau_v=0.5), Population(1)))


def test_a_description_without_an_error_filter_reads_as_before() -> None:
    """Fingerprints, which checkpoints hold, stay; with one it comes back from JSON."""
    assert "kappa" not in SMALL.to_json()
    apart = SMALL.with_(populations=(Population(2, kappa=(1.5, 1.0), tau_v=3.0), Population(1)))
    assert Network.from_json(apart.to_json()) == apart


def test_without_target_the_error_decays() -> None:
    model = FloatNetwork(SMALL.with_(eta=0.0), SMALL.random_parameters(1))
    x, y = data(60, 1)
    present = np.arange(60) < 20
    y[20:] = np.nan
    v = model.run(x, y, target_valid=present, record=True).v[1][:, 0]
    # tau_r = 0.2 and dt = 0.1: v halves at each step once eps is zero.
    np.testing.assert_allclose(v[21:], 0.5 * v[20:-1], rtol=1e-12)
    assert np.abs(v[19]).max() > 0.01


def test_learn_flags_and_apply_count_learning_steps() -> None:
    network = SMALL.with_(apply_every=2)
    model = FloatNetwork(network, network.random_parameters(1), streams=2, learn_from=1)
    x, y = data(6, 2)
    learn = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [0, 1], [1, 1]], bool)
    history = []
    for n in range(6):
        model.run(x[n : n + 1], y[n : n + 1], learn=learn[n : n + 1])
        history.append(model.weights[0].copy())
    changed = [not np.array_equal(a, b) for a, b in itertools.pairwise(history)]
    # Learning steps are 1, 4 and 5: the first APPLY comes after step 4, one step is left over.
    assert changed == [False, False, False, True, False]
    assert np.abs(model.gradient.weights[0]).max() > 0


def test_learn_flag_picks_streams() -> None:
    network = SMALL.with_(apply_every=1000)
    parameters, (x, y) = network.random_parameters(1), data(10, 2)
    model = FloatNetwork(network, parameters, streams=2)
    model.run(x, y, learn=np.array([[False, True]] * 10))
    alone = FloatNetwork(network, parameters)
    alone.run(x[:, 1], y[:, 1])
    np.testing.assert_allclose(model.gradient.weights[0], alone.gradient.weights[0], rtol=1e-12)


def test_predict_changes_nothing() -> None:
    model = FloatNetwork(SMALL, SMALL.random_parameters(1))
    x, y = data(20, 1)
    model.run(x, y)
    before = model.parameters
    out = model.predict(x)
    np.testing.assert_array_equal(model.predict(x), out)
    np.testing.assert_array_equal(model.run(x).out, out)
    assert model.steps == 40
    for name, value in model.parameters.items():
        np.testing.assert_array_equal(value, before[name])


def test_frozen_projection_own_eta_and_mask() -> None:
    network = SMALL.with_(
        projections=(Projection(0, 1, learn=False), Projection(1, 2, eta=0.0)), eta=1.0
    )
    x, y = data(5, 1)
    model = FloatNetwork(network, network.random_parameters(1))
    model.run(x, y)
    for name, value in network.random_parameters(1).items():
        np.testing.assert_array_equal(model.parameters[name], value)
    mask = np.zeros((3, 2))
    mask[1, 0] = 1.0
    masked = FloatNetwork(SMALL, SMALL.random_parameters(1), masks={0: mask})
    masked.run(x, y)
    moved = masked.weights[0] != SMALL.random_parameters(1)["0.weight"]
    np.testing.assert_array_equal(moved, mask == 1.0)


@pytest.mark.parametrize("name", PHI)
def test_slope_is_the_derivative(name: str) -> None:
    p = np.array([-30.0, -2.3, -0.7, -0.1, 0.2, 0.9, 1.7, 30.0])
    value, slope = ACTIVATIONS[name](p)
    step = 1e-6
    numeric = (ACTIVATIONS[name](p + step)[0] - ACTIVATIONS[name](p - step)[0]) / (2 * step)
    np.testing.assert_allclose(slope, numeric, atol=2e-8)
    assert value.shape == slope.shape == p.shape


def test_slope_at_the_corners() -> None:
    assert ACTIVATIONS["relu"](np.zeros(1))[1] == [0.0]
    np.testing.assert_array_equal(ACTIVATIONS["hard_tanh"](np.array([-1.0, 1.0]))[1], [1.0, 1.0])


@pytest.mark.parametrize(
    ("x", "y", "flags", "message"),
    [
        (np.zeros((4, 1, 3)), None, {}, "x has shape"),
        (np.zeros((4, 2)), np.zeros((4, 3)), {}, "y has shape"),
        (np.full((4, 2), np.nan), None, {}, "x holds NaN"),
        (np.zeros((4, 2)), np.full((4, 2), np.inf), {}, "y holds NaN"),
        (np.zeros((4, 2)), np.array([0, 1, 2, 0]), {}, "class 2 at step 2"),
        (np.zeros((4, 2)), np.zeros(4), {}, "class indices as integers"),
        (np.zeros((4, 2)), None, {"valid": np.ones(3, bool)}, "valid has shape"),
        (np.zeros((4, 2)), None, {"first": np.full(4, 2)}, "first has dtype"),
        (np.zeros((4, 2)), None, {"target_valid": True}, "there is no y"),
        (np.array([["a", "b"]]), None, {}, "x has dtype"),
    ],
)
def test_bad_arrays_are_refused(x: Any, y: Any, flags: dict[str, Any], message: str) -> None:
    model = FloatNetwork(SMALL, SMALL.random_parameters(1))
    with pytest.raises(BadInput, match=message):
        model.run(x, y, **flags)


@pytest.mark.parametrize(
    "options",
    [
        {"streams": 0},
        {"eta_tau": math.nan},
        {"tau_min": 0.0},
        {"tau_m": [np.ones(3)]},
        {"tau_r": [np.ones(2), np.ones(2)]},
        {"tau_m": [np.ones(3), -np.ones(2)]},
        {"masks": {2: np.ones((1, 1))}},
        {"masks": {0: np.ones((1, 1))}},
    ],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        FloatNetwork(SMALL, SMALL.random_parameters(1), **options)


def test_parameters_of_another_network_are_refused() -> None:
    parameters = SMALL.random_parameters(1)
    with pytest.raises(BadNetwork, match="parameters are"):
        FloatNetwork(SMALL, {"0.weight": parameters["0.weight"]})
