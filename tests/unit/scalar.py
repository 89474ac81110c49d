# SPDX-License-Identifier: Apache-2.0
"""A second implementation of the equations: one neuron and one number at a time, no arrays, no
sharing; and random trajectories by it."""

import math
import random
from typing import Any

import numpy as np

from antevolt.hdl.spec.network import PHI

__all__ = ["make"]


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
