# SPDX-License-Identifier: Apache-2.0
"""The float model on networks of any graph, with every rule and optimizer, against plain loops."""

import math
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.sim.golden.cost import cost
from antevolt.sim.golden.neuron import Traces
from antevolt.sim.golden.optimizer import Optimizer
from antevolt.sim.golden.reference import FloatNetwork

# --- A second implementation: one number at a time, each neuron with its own traces. ---


class Stream:
    """State of one stream; lists by population 0..L and neuron, traces by projection."""

    def __init__(self, net: Network) -> None:
        n = net.sizes
        self.u, self.v, self.r, self.e, self.slope, self.u_dot, self.eps, self.q = (
            [[0.0] * size for size in n] for _ in range(8)
        )
        self.h_u = [
            [[0.0] * n[p.source] for _ in range(n[p.target])] if _traced(net, p) else []
            for p in net.projections
        ]
        self.z = [0.0] * n[-1]
        self.energy = [0.0] * len(n)
        self.factor: Any = None  # [projection][i][j]: what stands beside e_i in dW_ij


def _traced(net: Network, p: Projection) -> bool:
    return net.populations[p.target - 1].rule == "trace"


class Loops:
    """A network of tanh populations and a linear output."""

    def __init__(self, net: Network, parameters: Any, streams: int, etas: Any, tau_min: float):
        self.net, self.L = net, len(net.populations)
        self.p = {name: value.tolist() for name, value in parameters.items()}
        self.streams = [Stream(net) for _ in range(streams)]
        self.tau_m = [[], *[list(p.tau_m) for p in net.populations]]  # type: ignore[arg-type]
        self.tau_r = [[], *[list(p.tau_r) for p in net.populations]]  # type: ignore[arg-type]
        self.etas, self.tau_min, self.learned = etas, tau_min, 0
        self.moments: dict[Any, tuple[float, float]] = {}
        self.clear()

    def clear(self) -> None:
        self.g: dict[Any, float] = {}

    def add(self, key: Any, value: float) -> None:
        self.g[key] = self.g.get(key, 0.0) + value

    def membrane(self, s: Stream, l: int, rates: dict[int, Any], e: list[float]) -> None:
        """Of population l, from `rates` of the populations 0..L."""
        net, population = self.net, self.net.populations[l - 1]
        for i in range(net.sizes[l]):
            drive = population.gamma * e[i]
            tau_m, tau_r = self.tau_m[l][i], self.tau_r[l][i]
            for k, p in enumerate(net.projections):
                if p.target != l:
                    continue
                for j, r in enumerate(rates[p.source]):
                    drive += self.p[f"{k}.weight"][i][j] * r
                    h = r
                    if s.h_u[k]:
                        h_dot = (r - s.h_u[k][i][j]) / tau_m
                        h = s.h_u[k][i][j] + tau_r * h_dot
                        s.h_u[k][i][j] += net.dt * h_dot
                    s.factor[k][i][j] = h
                if p.bias:
                    drive += self.p[f"{k}.bias"][i]
            u_dot = (drive - s.u[l][i]) / tau_m
            p_ = s.u[l][i] + tau_r * u_dot
            s.u[l][i] += net.dt * u_dot
            s.u_dot[l][i] = u_dot
            linear = population.phi == "linear"
            s.r[l][i] = p_ if linear else math.tanh(p_)
            s.slope[l][i] = 1.0 if linear else 1.0 - math.tanh(p_) ** 2

    def error(self, s: Stream, l: int, q: list[float], slope: list[float]) -> None:
        population = self.net.populations[l - 1]
        for i in range(self.net.sizes[l]):
            eps = s.eps[l][i] = slope[i] * q[i]
            if population.rule != "gle":
                s.v[l][i], s.e[l][i] = eps, population.g * eps
                continue
            v_dot = (eps - s.v[l][i]) / self.tau_r[l][i]
            s.e[l][i] = population.g * (s.v[l][i] + self.tau_m[l][i] * v_dot)
            s.v[l][i] += self.net.dt * v_dot

    def top(self, s: Stream, r: list[float], y: Any, target: bool) -> list[float]:
        """q of the output; notes beta C."""
        net = self.net
        z = r
        if net.cost == "cross_entropy" and net.tau_z:
            z = s.z = [a + net.dt / net.tau_z * (b - a) for a, b in zip(s.z, r, strict=True)]
        s.energy[0] = 0.0
        if not target:
            return [0.0] * len(r)
        if net.cost == "squared_error":
            s.energy[0] = net.beta * sum(0.5 * (a - b) ** 2 for a, b in zip(y, z, strict=True))
            return [net.beta * (a - b) for a, b in zip(y, z, strict=True)]
        weights = [math.exp(net.softmax_gain * value) for value in z]
        likely = [w / sum(weights) for w in weights]
        logs = [a * math.log(b) for a, b in zip(y, likely, strict=True)]
        s.energy[0] = -net.beta * sum(logs) / net.softmax_gain
        return [net.beta * (a - b) for a, b in zip(y, likely, strict=True)]

    def handed(self, l: int, errors: Any) -> list[float]:
        """q of population l from errors[k][i] of the targets of the projections k."""
        q = [0.0] * self.net.sizes[l]
        for k, p in enumerate(self.net.projections):
            if p.source == l:
                matrix = self.p[f"{k}.weight" if p.backward == "transpose" else f"{k}.backward"]
                for i, e in enumerate(errors[k]):
                    for j in range(len(q)):
                        q[j] += matrix[i][j] * e
        return q

    def step(self, x: Any, y: Any, valid: Any, first: Any, target: Any, learn: Any) -> list[Any]:
        """Step all streams; the outputs, None for a stream that rests."""
        net, outputs = self.net, []
        for at, s in enumerate(self.streams):
            if not valid[at]:
                outputs.append(None)
                continue
            if first[at]:
                s = self.streams[at] = Stream(net)
            n = net.sizes
            s.factor = [[[0.0] * n[p.source] for _ in range(n[p.target])] for p in net.projections]
            r_before, e_before = [list(a) for a in s.r], [list(a) for a in s.e]
            r_before[0] = s.r[0] = x[at].tolist()
            if net.schedule == "sequential":
                for l in range(1, self.L + 1):
                    rates = {m: s.r[m] if m < l else r_before[m] for m in range(self.L + 1)}
                    self.membrane(s, l, rates, e_before[l])
                out = s.r[-1]
                q = self.top(s, out, y[at].tolist(), target[at])
                for l in range(self.L, 0, -1):
                    errors = [
                        (s.e if p.target > l else e_before)[p.target] for p in net.projections
                    ]
                    self.error(s, l, q if l == self.L else self.handed(l, errors), s.slope[l])
            else:
                out = r_before[-1]
                s.q[-1] = self.top(s, out, y[at].tolist(), target[at])
                for l in range(1, self.L + 1):
                    self.error(s, l, s.q[l], list(s.slope[l]))
                for l in range(1, self.L + 1):
                    self.membrane(s, l, dict(enumerate(r_before)), s.e[l])
                for l in range(1, self.L):
                    s.q[l] = self.handed(l, [s.e[p.target] for p in net.projections])
            for l in range(1, self.L + 1):
                s.energy[l] = 0.5 * sum(e * e for e in s.e[l])
            outputs.append(list(out))
            if learn[at]:
                self.collect(s)
        if any(a and b for a, b in zip(valid, learn, strict=True)):
            self.learned += 1
            if self.learned == net.apply_every:
                self.apply()
        return outputs

    def collect(self, s: Stream) -> None:
        for k, p in enumerate(self.net.projections):
            for i, e in enumerate(s.e[p.target]):
                for j, h in enumerate(s.factor[k][i]):
                    self.add((k, "weight", i, j), e * h)
                    if p.backward == "learned":
                        self.add((k, "backward", i, j), e * h)
                if p.bias:
                    self.add((k, "bias", i), e)
        for l in range(1, self.L + 1):
            for i, u_dot in enumerate(s.u_dot[l]):
                self.add(("tau_m", l, i), -s.e[l][i] * u_dot)
                self.add(("tau_r", l, i), s.eps[l][i] * u_dot)

    def direction(self, key: Any, g: float) -> float:
        net = self.net
        if net.optimizer == "sgd":
            return g
        m, v = self.moments.get(key, (0.0, 0.0))
        m = net.momentum * m + (1 - net.momentum) * g
        v = net.momentum2 * v + (1 - net.momentum2) * g * g
        self.moments[key] = m, v
        if net.optimizer == "momentum":
            return m
        if net.optimizer == "sign":
            return float((m > 0) - (m < 0))
        return m / math.sqrt(v) if v else 0.0

    def apply(self) -> None:
        for key, g in self.g.items():
            if key[0] in ("tau_m", "tau_r"):
                taus = self.tau_m if key[0] == "tau_m" else self.tau_r
                if self.etas[key[0]]:
                    _, l, i = key
                    taus[l][i] = max(taus[l][i] + self.etas[key[0]] * g, self.tau_min)
                continue
            k, kind, i, *j = key
            p = self.net.projections[k]
            if p.learn:
                change = (self.net.eta if p.eta is None else p.eta) * self.direction(key, g)
                if j:
                    self.p[f"{k}.{kind}"][i][j[0]] += change
                else:
                    self.p[f"{k}.{kind}"][i] += change
        self.clear()
        self.learned = 0


EVERYTHING = Network(
    inputs=2,
    populations=(
        Population(3, "tanh", (0.3, 0.5, 0.3), (0.2, 0.3, 0.2), gamma=0.1, rule="trace", g=0.7),
        Population(2, "tanh", (0.4, 0.3), (0.2, 0.3), gamma=0.05, g=1.3),
        Population(3, "tanh", 0.3, (0.1, 0.2, 0.3), rule="instantaneous", g=0.9),
        Population(2, "linear", 0.2, (0.1, 0.2), gamma=0.02),
    ),
    projections=(
        Projection(0, 1),
        Projection(1, 2, backward="fixed"),
        Projection(2, 3, backward="learned"),
        Projection(3, 4, eta=0.02),
        Projection(0, 3, bias=False),
        Projection(1, 4, bias=False, backward="learned"),
        Projection(1, 1, bias=False),
        Projection(3, 1, bias=False, backward="learned"),
        Projection(2, 1, bias=False, learn=False),
        Projection(3, 3, bias=False, backward="fixed"),
    ),
    dt=0.1,
    beta=0.8,
    eta=0.01,
    apply_every=2,
    softmax_gain=2.0,
    momentum=0.75,
    momentum2=0.9,
)


def compare(net: Network, eta_tau: float = 0.0, eta_tau_r: float = 0.0) -> None:
    """All that a run gives, with flags, at each step; 1e-10 apart at most."""
    steps, streams, tau_min = 40, 3, 0.15
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(steps, streams, 2)), rng.normal(size=(steps, streams, 2))
    if net.cost == "cross_entropy":
        y = np.eye(2)[rng.integers(2, size=(steps, streams))]
    flags = {
        "valid": rng.random((steps, streams)) < 0.85,
        "first": rng.random((steps, streams)) < 0.1,
        "target_valid": rng.random((steps, streams)) < 0.8,
        "learn": rng.random((steps, streams)) < 0.7,
    }
    parameters = net.random_parameters(5, gain=0.6)
    model = FloatNetwork(
        net, parameters, streams=streams, eta_tau=eta_tau, eta_tau_r=eta_tau_r, tau_min=tau_min
    )
    etas = {"tau_m": eta_tau, "tau_r": eta_tau_r}
    loops = Loops(net, parameters, streams, etas, tau_min)
    run = model.run(x, y, **flags, record=True)
    for n in range(steps):
        out = loops.step(x[n], y[n], *(flag[n] for flag in flags.values()))
        for at in np.flatnonzero(flags["valid"][n]):
            stream = loops.streams[at]
            assert run.out[n, at] == pytest.approx(out[at], abs=1e-10)
            assert run.energy[n, at] == pytest.approx(sum(stream.energy), abs=1e-10)
            for l in range(1, loops.L + 1):
                assert run.e_energy[l - 1][n, at] == pytest.approx(stream.energy[l], abs=1e-10)
                for name in ("u", "v", "r", "e", "slope", "u_dot"):
                    kept = getattr(run, name)[l - 1][n, at]
                    assert kept == pytest.approx(getattr(stream, name)[l], abs=1e-10), (name, l, n)
    for name, value in model.parameters.items():
        np.testing.assert_allclose(value, np.array(loops.p[name]), atol=1e-10, err_msg=name)
        k = int(name.split(".")[0])
        still = not net.projections[k].learn or (
            name.endswith("backward") and net.projections[k].backward == "fixed"
        )
        assert np.array_equal(value, parameters[name]) is still, name
    for l in range(loops.L):
        np.testing.assert_allclose(model.tau_m[l], loops.tau_m[l + 1], atol=1e-10)
        np.testing.assert_allclose(model.tau_r[l], loops.tau_r[l + 1], atol=1e-10)


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "sign", "adam"])
def test_everything_against_loops(optimizer: Any, schedule: Any) -> None:
    compare(EVERYTHING.with_(optimizer=optimizer, schedule=schedule))


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("tau_z", [None, 0.3])
def test_cross_entropy_against_loops(tau_z: float | None, schedule: Any) -> None:
    compare(EVERYTHING.with_(cost="cross_entropy", tau_z=tau_z, schedule=schedule))


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("etas", [(0.005, 0.0), (0.0, 0.005), (0.005, 0.005)])
def test_learned_time_constants_against_loops(etas: tuple[float, float], schedule: Any) -> None:
    """Neurons with equal time constants share a trace only as long as they stay equal."""
    compare(EVERYTHING.with_(schedule=schedule, apply_every=1), *etas)


# --- Parts by themselves. ---


def test_neurons_with_equal_time_constants_share_a_trace() -> None:
    tau_m, tau_r = np.array([1.0, 2.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.5])
    assert Traces(tau_m, tau_r, apart=False).copies == 3
    assert Traces(tau_m, tau_r, apart=True).copies == 4
    population = Population(4, tau_m=tuple(tau_m), tau_r=tuple(tau_r))
    assert len(population.time_constants) == 3


def test_optimizers_of_a_constant_gradient() -> None:
    gradient, after = np.array([2.0, -3.0, 0.0]), 5
    moved = {}
    for kind in ("sgd", "momentum", "sign", "adam"):
        net = EVERYTHING.with_(optimizer=kind)  # momentum = 0.75, momentum2 = 0.9
        optimizer = Optimizer(net)
        for _ in range(after):
            moved[kind] = optimizer.direction("a", gradient)
            optimizer.direction("b", -gradient)
    share_1, share_2 = 1 - 0.75**after, 1 - 0.9**after
    np.testing.assert_allclose(moved["sgd"], gradient)
    np.testing.assert_allclose(moved["momentum"], share_1 * gradient)
    np.testing.assert_array_equal(moved["sign"], [1.0, -1.0, 0.0])
    adam = share_1 / math.sqrt(share_2)
    np.testing.assert_allclose(moved["adam"], [adam, -adam, 0.0])


def test_backward_weights_that_learn_align_with_the_forward_ones() -> None:
    """Both take the same changes: their difference stays what it was."""
    net = EVERYTHING
    parameters = net.random_parameters(5, gain=0.6)
    model = FloatNetwork(net, parameters)
    rng = np.random.default_rng(1)
    model.run(rng.normal(size=(20, 2)), rng.normal(size=(20, 2)))
    now = model.parameters
    assert set(now) == set(parameters)
    for k in (2, 5, 7):
        forward, backward = (
            now[f"{k}.{n}"] - parameters[f"{k}.{n}"] for n in ("weight", "backward")
        )
        np.testing.assert_allclose(forward, backward, atol=1e-14)
        assert np.abs(forward).max() > 1e-6


@pytest.mark.parametrize("tau_z", [None, 2.0])
def test_first_in_the_parallel_schedule_has_no_error_yet(tau_z: float | None) -> None:
    """Whatever the softmax of no step is: r' of the step before is zero."""
    net = Network(1, (Population(2, "linear"),), schedule="parallel", cost="cross_entropy", eta=0.0)
    model = FloatNetwork(net.with_(tau_z=tau_z), net.random_parameters(1))
    x, y, first = np.ones((4, 1)), np.array([1, 1, 1, 1]), np.array([True, False, True, False])
    e = model.run(x, y, first=first, record=True).e[0]
    np.testing.assert_array_equal(e[first], 0.0)
    np.testing.assert_array_equal(e[1], e[3])
    assert e[1, 0] < 0.0 < e[1, 1]


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
def test_predict_puts_traces_and_logits_back(schedule: Any) -> None:
    net = EVERYTHING.with_(schedule=schedule, cost="cross_entropy", tau_z=0.3, eta=0.0)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 2)), rng.integers(2, size=20)
    one, other = (FloatNetwork(net, net.random_parameters(5)) for _ in range(2))
    for model in (one, other):
        model.run(x, y)
    one.predict(-x)
    one.run(x, y)
    other.run(x, y)
    for mine, wanted in zip(one.gradient.weights, other.gradient.weights, strict=True):
        np.testing.assert_array_equal(mine, wanted)


def test_energy_without_a_target_is_that_of_the_errors() -> None:
    model = FloatNetwork(EVERYTHING, EVERYTHING.random_parameters(5))
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(10, 2)), rng.normal(size=(10, 2))
    run = model.run(x, y, target_valid=np.arange(10) < 6, record=True)
    assert run.energy.shape == run.e_energy[0].shape == (10,)
    costs = EVERYTHING.beta * cost("squared_error", run.z, y)
    errors = sum(run.e_energy)
    np.testing.assert_allclose(run.energy[:6], (errors + costs)[:6])
    np.testing.assert_array_equal(run.energy[6:], errors[6:])
    assert not FloatNetwork(EVERYTHING, model.parameters).run(x).energy.size


def test_masks_are_of_the_learned_backward_weights_too() -> None:
    parameters = EVERYTHING.random_parameters(5)
    mask = np.zeros((3, 2))
    mask[1, 0] = 1.0
    model = FloatNetwork(EVERYTHING, parameters, masks={2: mask})
    rng = np.random.default_rng(1)
    model.run(rng.normal(size=(4, 2)), rng.normal(size=(4, 2)))
    for name in ("2.weight", "2.backward"):
        np.testing.assert_array_equal(model.parameters[name] != parameters[name], mask == 1.0)
