# SPDX-License-Identifier: Apache-2.0
"""The float model against recorded trajectories and against a scalar implementation of its own."""

import itertools
import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput, BadNetwork
from antevolt.hdl.spec.network import PHI, Network, Population, Projection
from antevolt.sim.golden.activations import ACTIVATIONS
from antevolt.sim.golden.reference import FloatNetwork
from antevolt.sim.golden.vectors import TOLERANCE, read, replay

VECTORS = sorted((Path(__file__).parents[1] / "data" / "vectors").glob("*.npz"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_recorded_trajectory(path: Path) -> None:
    differences = replay(read(path))
    assert max(d.largest for d in differences) < 1e-12
    assert {d.quantity for d in differences} >= {"u", "v", "r", "e", "out", "W_final"}


def test_there_are_six_recordings() -> None:
    assert len(VECTORS) == 6


# --- A second implementation: one neuron and one number at a time, no arrays, no sharing. ---


def phi(name: str, x: float) -> tuple[float, float]:
    if name == "linear":
        return x, 1.0
    if name == "tanh":
        return math.tanh(x), 1 / math.cosh(x) ** 2
    if name == "sigmoid":
        return 1 / (1 + math.exp(-x)), math.exp(-x) / (1 + math.exp(-x)) ** 2
    if name == "softplus":
        return math.log(1 + math.exp(x)), 1 / (1 + math.exp(-x))
    if name == "relu":
        return (x, 1.0) if x > 0 else (0.0, 0.0)
    return (x, 1.0) if -1 <= x <= 1 else (math.copysign(1.0, x), 0.0)


class Neuron:
    def __init__(self, tau_m: float, tau_r: float, name: str, prospective: bool) -> None:
        self.tau_m, self.tau_r, self.phi, self.prospective = tau_m, tau_r, name, prospective
        self.u = self.v = self.r = self.slope = self.e = self.u_dot = 0.0

    def receive(self, drive: float, dt: float) -> None:
        self.u_dot = (drive - self.u) / self.tau_m
        self.r, self.slope = phi(self.phi, self.u + self.tau_r * self.u_dot)
        self.u += dt * self.u_dot

    def err(self, eps: float, dt: float) -> None:
        if not self.prospective:
            self.v = self.e = eps
            return
        v_dot = (eps - self.v) / self.tau_r
        self.e = self.v + self.tau_m * v_dot
        self.v += dt * v_dot


def naive(meta: dict[str, Any], x: Any, y: Any, start: dict[str, Any]) -> dict[str, Any]:
    """Arrays of a trajectory file, from meta, x, y and the `_init` arrays."""
    sizes, depth, dt = meta["sizes"], len(meta["sizes"]) - 1, meta["dt"]
    batch, steps = meta["batch"], meta["steps"]
    weights = [start[f"W{k}_init"].tolist() for k in range(depth)]
    biases = [
        start[f"b{k}_init"].tolist() if meta["bias"] else [0.0] * sizes[k + 1] for k in range(depth)
    ]

    def entry(key: str, k: int, i: int) -> Any:
        value = meta[key]
        value = value[k] if isinstance(value, list) else value
        return value[i] if isinstance(value, list) else value

    neurons = [
        [
            [
                Neuron(entry("tau_m", k, i), entry("tau_r", k, i), entry("phi", k, 0), prospective)
                for i in range(sizes[k + 1])
            ]
            for k in range(depth)
            for prospective in [entry("prospective_errors", k, 0)]
        ]
        for _ in range(batch)
    ]

    def top_error(stream: int, step: int, r: list[float]) -> list[float]:
        if meta["loss"] == "ce":
            total = sum(math.exp(value) for value in r)
            wanted = [float(i == y[step, stream]) for i in range(len(r))]
            return [
                meta["beta"] * (w - math.exp(value) / total)
                for w, value in zip(wanted, r, strict=True)
            ]
        return [meta["beta"] * (y[step, stream, i] - value) for i, value in enumerate(r)]

    def fresh() -> Any:
        return (
            [[[0.0] * sizes[k] for _ in range(sizes[k + 1])] for k in range(depth)],
            [[0.0] * sizes[k + 1] for k in range(depth)],
            [[0.0] * sizes[k + 1] for k in range(depth)],
        )

    g_w, g_b, g_tau = fresh()
    learned = 0
    handed_down = [[[0.0] * n for n in sizes[1:-1]] for _ in range(batch)]
    recorded: dict[str, Any] = {
        f"{q}{k}": np.zeros((steps, batch, sizes[k + 1])) for q in "uvre" for k in range(depth)
    }
    recorded["out"] = np.zeros((steps, batch, sizes[-1]))
    for step in range(steps):
        learning = step >= meta["learn_from"]
        for stream in range(batch):
            net = neurons[stream]
            old_r = [[n.r for n in layer] for layer in net]
            old_slope = [[n.slope for n in layer] for layer in net]
            old_e = [[n.e for n in layer] for layer in net]
            inputs = [x[step, stream].tolist(), *old_r[:-1]]
            if meta["schedule"] == "sequential":
                for k in range(depth):
                    below = x[step, stream].tolist() if k == 0 else [n.r for n in net[k - 1]]
                    inputs[k] = below
                    for i, neuron in enumerate(net[k]):
                        drive = biases[k][i] + entry("gamma", k, 0) * old_e[k][i]
                        for j, r in enumerate(below):
                            drive += weights[k][i][j] * r
                        neuron.receive(drive, dt)
                recorded["out"][step, stream] = [n.r for n in net[-1]]
                q = top_error(stream, step, [n.r for n in net[-1]])
                for k in reversed(range(depth)):
                    for i, neuron in enumerate(net[k]):
                        neuron.err(neuron.slope * q[i], dt)
                    q = [
                        sum(weights[k][i][j] * n.e for i, n in enumerate(net[k]))
                        for j in range(sizes[k])
                    ]
            else:
                recorded["out"][step, stream] = old_r[-1]
                for k in range(depth):
                    q = (
                        top_error(stream, step, old_r[-1])
                        if k == depth - 1
                        else handed_down[stream][k]
                    )
                    for i, neuron in enumerate(net[k]):
                        neuron.err(old_slope[k][i] * q[i], dt)
                        drive = biases[k][i] + entry("gamma", k, 0) * neuron.e
                        for j, r in enumerate(inputs[k]):
                            drive += weights[k][i][j] * r
                        neuron.receive(drive, dt)
            for k in range(depth):
                for i, neuron in enumerate(net[k]):
                    for quantity in "uvre":
                        recorded[f"{quantity}{k}"][step, stream, i] = getattr(neuron, quantity)
                    if learning:
                        for j, r in enumerate(inputs[k]):
                            g_w[k][i][j] += neuron.e * r / batch
                        g_b[k][i] += neuron.e / batch
                        g_tau[k][i] -= neuron.e * neuron.u_dot / batch
        # What the parallel schedule hands down is made with the weights of this step.
        handed_down = [
            [
                [
                    sum(weights[k + 1][i][j] * n.e for i, n in enumerate(net[k + 1]))
                    for j in range(sizes[k + 1])
                ]
                for k in range(depth - 1)
            ]
            for net in neurons
        ]
        learned += learning
        if learned == meta.get("apply_every", 1):
            for k in range(depth):
                for i in range(sizes[k + 1]):
                    for j in range(sizes[k]):
                        weights[k][i][j] += meta["lr"] * g_w[k][i][j]
                    biases[k][i] += meta["lr"] * g_b[k][i] * meta["bias"]
                    if meta["lr_tau"]:
                        tau = neurons[0][k][i].tau_m + meta["lr_tau"] * g_tau[k][i]
                        for net in neurons:
                            net[k][i].tau_m = max(tau, meta["tau_min"])
            g_w, g_b, g_tau = fresh()
            learned = 0
    for k in range(depth):
        recorded[f"W{k}_final"] = np.array(weights[k])
        if meta["bias"]:
            recorded[f"b{k}_final"] = np.array(biases[k])
        recorded[f"tau_m{k}_final"] = np.array([n.tau_m for n in neurons[0][k]])
    return recorded


def make(seed: int, **forced: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A random trajectory of the file format: meta and arrays."""
    draw = random.Random(seed)
    depth = draw.choice([1, 2, 3])
    sizes = [draw.randint(1, 4) for _ in range(depth + 1)]
    dt = draw.choice([0.05, 0.1])
    loss = forced.get("loss", draw.choice(["mse", "ce"]))
    if loss == "ce":
        sizes[-1] += 1  # the softmax of a single output is constant
    meta: dict[str, Any] = {
        "name": f"made{seed}",
        "sizes": sizes,
        "tau_m": [[draw.uniform(dt, 0.4) for _ in range(n)] for n in sizes[1:]],
        "tau_r": [[draw.choice([dt, draw.uniform(dt, 0.4)]) for _ in range(n)] for n in sizes[1:]],
        "phi": [draw.choice(PHI) for _ in sizes[1:-1]]
        + ["linear" if loss == "ce" else draw.choice(PHI)],
        "loss": loss,
        "dt": dt,
        "gamma": draw.choice([0.0, 0.02, 0.05]),
        "beta": draw.choice([0.5, 1.0]),
        "lr": draw.choice([0.001, 0.004]),
        "lr_tau": draw.choice([0.0, 0.002]),
        "tau_min": draw.choice([dt, 0.3]),
        "bias": draw.choice([True, False]),
        "prospective_errors": draw.choice([True, True, False]),
        "batch": draw.choice([1, 2, 3]),
        "steps": 40,
        "learn_from": draw.choice([0, 7]),
        "apply_every": draw.choice([1, 3, 5]),
        "schedule": draw.choice(["sequential", "parallel"]),
        **forced,
    }
    sizes = meta["sizes"]
    rng = np.random.default_rng(seed)
    shape = (meta["steps"], meta["batch"])
    arrays: dict[str, Any] = {"x": rng.normal(size=(*shape, sizes[0]))}
    arrays["y"] = (
        rng.integers(sizes[-1], size=shape)
        if loss == "ce"
        else rng.uniform(-0.5, 0.5, (*shape, sizes[-1]))
    )
    for k in range(len(sizes) - 1):
        arrays[f"W{k}_init"] = rng.uniform(-1, 1, (sizes[k + 1], sizes[k]))
        if meta["bias"]:
            arrays[f"b{k}_init"] = rng.uniform(-1, 1, sizes[k + 1])
    arrays.update(naive(meta, arrays["x"], arrays["y"], arrays))
    return meta, arrays


def save(path: Path, meta: dict[str, Any], arrays: dict[str, Any]) -> Path:
    np.savez(path, meta=np.array(json.dumps(meta)), **arrays)
    return path


def check(path: Path) -> None:
    worst = max(replay(read(path)), key=lambda d: d.largest)
    assert worst.largest < TOLERANCE, worst


@pytest.mark.parametrize("seed", range(24))
def test_scalar_implementation_agrees(seed: int, tmp_path: Path) -> None:
    check(save(tmp_path / "made.npz", *make(seed)))


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("name", PHI)
def test_every_phi_in_both_schedules(name: str, schedule: str, tmp_path: Path) -> None:
    forced = {"sizes": [2, 3, 2, 2], "phi": name, "schedule": schedule, "loss": "mse"}
    taus = {"tau_m": [0.3, 0.5, 0.2], "tau_r": 0.1, "learn_from": 4, "apply_every": 3}
    check(save(tmp_path / "made.npz", *make(1, **forced, **taus)))


@pytest.mark.parametrize("loss", ["mse", "ce"])
def test_one_layer_one_stream_one_step(loss: str, tmp_path: Path) -> None:
    forced = {"sizes": [1, 1], "tau_m": 0.4, "tau_r": [0.1], "phi": "identity"}
    meta, arrays = make(2, **{**forced, "phi": "linear"}, steps=1, batch=1, loss=loss)
    check(save(tmp_path / "made.npz", {**meta, "phi": "identity"}, arrays))


def test_values_per_layer_and_time_constants_below_dt(tmp_path: Path) -> None:
    forced = {
        "sizes": [2, 3, 2],
        "phi": ["tanh", "linear"],
        "gamma": [0.2, 0.0],
        "prospective_errors": [True, False],
        "tau_m": [0.2, [0.5, 0.04]],
        "tau_r": [0.04, 0.5],
        "dt": 0.05,
    }
    check(save(tmp_path / "made.npz", *make(3, **forced)))


def test_learned_time_constants_are_clamped(tmp_path: Path) -> None:
    forced = {"sizes": [2, 3, 2], "phi": "tanh", "loss": "mse", "prospective_errors": True}
    taus = {"tau_m": 0.5, "tau_r": 0.2, "tau_min": 0.49, "lr_tau": 0.02}
    meta, arrays = make(4, **forced, **taus, gamma=0.05, apply_every=2, learn_from=3)
    final = np.concatenate([arrays["tau_m0_final"], arrays["tau_m1_final"]])
    assert (final == 0.49).any()
    assert (final > 0.5).any()
    check(save(tmp_path / "made.npz", meta, arrays))


@pytest.mark.parametrize("quantity", ["u0", "v1", "r0", "e1", "out", "W1_final", "tau_m0_final"])
def test_one_wrong_number_is_found(quantity: str, tmp_path: Path) -> None:
    forced = {"sizes": [2, 3, 2], "phi": "tanh", "tau_m": 0.4, "tau_r": 0.1}
    meta, arrays = make(6, **forced, loss="mse")
    arrays[quantity].flat[-1] += 1e-8
    off = [d for d in replay(read(save(tmp_path / "made.npz", meta, arrays))) if not d.agrees]
    assert [d.quantity for d in off] == [quantity.replace("0", "").replace("1", "")]
    assert off[0].first_step == (39 if arrays[quantity].ndim == 3 else None)


# --- What the files do not exercise: streams that come and go, and other switches. ---

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
