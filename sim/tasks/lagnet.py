# SPDX-License-Identifier: Apache-2.0
"""LagNet: a student learns a teacher's lags on the chip, online, one sample and one change a step.

Network 1-2-2-1 of neurons with and without a lag; the first projection learns, the others are the
teacher's. The task is that of arXiv 2403.16933, figure 6, learned by plain SGD.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection, Rule
from antevolt.host.device import Device
from antevolt.host.device import open as open_device
from antevolt.sim.golden.reference import FloatNetwork

__all__ = ["CORE", "ETA", "LEARN_FROM", "RATES", "STEPS", "Run", "differing_bits", "learn"]

DT = 0.01
LEARN_FROM, STEPS = 8000, 16_000
TEACHER: Parameters = {
    "0.weight": np.array([[-0.5], [1.0]]),
    "1.weight": np.diag([0.5, 1.0]),
    "2.weight": np.array([[0.5, 1.0]]),
}
FREQUENCIES = (0.49, 1.07, 1.98)  # of the input, radians per unit of time
ETA = 2.0**-5  # of the GLE student
RATES = (2.0**-5, 2.0**-7, 2.0**-9)  # of the instantaneous rule: the same, 1/4 and 1/16 of it
CHUNK = 100  # steps between two looks at the weights
WINDOW = 2000  # steps over which a loss is averaged: the last ones

CORE = Machine(w_depth=64, r_depth=64, state_depth=64, q_depth=64, io_depth=16)
"""The core of the demonstration: one row, one stream."""

Progress = Callable[[int], None]


def network(eta: float, prospective_errors: bool) -> Network:
    """The student; the second neuron of each hidden population lags."""
    rule: Rule = "gle" if prospective_errors else "instantaneous"
    hidden = Population(2, "tanh", tau_m=1.0, tau_r=(1.0, 0.1), gamma=1e-3, rule=rule)
    output = Population(1, "linear", rule=rule)
    projections = tuple(Projection(k, k + 1, bias=False, learn=k == 0) for k in range(3))
    return Network(1, (hidden, hidden, output), projections, dt=DT, beta=1.0, eta=eta)


@cache
def signals(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Input and target [steps, 1]: the target is the teacher's output in floating point."""
    times = DT * np.arange(steps)
    x = np.sum([np.sin(w * times) for w in FREQUENCIES], axis=0)[:, None]
    teacher = FloatNetwork(network(ETA, True), TEACHER)
    return x, np.asarray(teacher.predict(x)).reshape(steps, 1)


@dataclass(frozen=True)
class Run:
    """One student.

    weights  [looks, 2] of the learning projection, at step `looked`;  outputs [steps]
    seconds  of streaming and looking, without opening and loading
    cycles_compiled  of all steps, by the compiler;  cycles  as counted, with the idle one before
             each step;  cycles_learning  those of the steps from LEARN_FROM on
    state    everything the device held at the end;  counters  the device's
    """

    rule: str
    seed: int
    eta: float
    looked: NDArray[np.int64]
    weights: NDArray[np.float64]
    outputs: NDArray[np.float64]
    loss: float
    seconds: float
    cycles_compiled: int
    cycles: int
    cycles_learning: int
    counters: dict[str, Any]
    state: dict[str, NDArray[Any]]

    @property
    def weight_error(self) -> float:
        """Largest distance of a learned weight from the teacher's, at the last step."""
        return float(np.abs(self.weights[-1] - TEACHER["0.weight"][:, 0]).max())

    @property
    def saturations(self) -> int:
        return sum(self.counters["saturated"].values())

    @property
    def learning_steps(self) -> int:
        return max(0, len(self.outputs) - LEARN_FROM)

    @property
    def cycles_per_step(self) -> float:
        """Of a learning step, APPLY included; NaN if there was none."""
        steps = self.learning_steps
        return self.cycles_learning / steps if steps else float("nan")

    @property
    def slot_use(self) -> float:
        """Useful products of a learning step over what the array could make in all its cycles.

        Useful are w r of all projections, w e of those above a hidden population, e r of the one
        that learns. An array of one row and one stream could make two in a cycle.
        """
        student = network(self.eta, self.rule == "GLE")
        products = 0
        for k, projection in enumerate(student.projections):
            synapses = student.sizes[projection.source] * student.sizes[projection.target]
            products += synapses * (1 + (k > 0) + projection.learn)
        return products / (2 * CORE.rows * CORE.streams * self.cycles_per_step)


def learn(
    device: str,
    seed: int,
    eta: float,
    prospective_errors: bool,
    steps: int,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> Run:
    """Stream the whole task through a device, learning from step LEARN_FROM on."""
    x, y = signals(steps)
    start = np.random.default_rng(seed).uniform(-1, 1, (2, 1))
    student = {**TEACHER, "0.weight": start}
    outputs, looked, weights = [], [0], [start[:, 0]]
    with open_device(device, machine=CORE) as core:
        core.load(network(eta, prospective_errors), student)
        began, plain_cycles = time.monotonic(), 0
        edges = sorted({*range(0, steps, CHUNK), min(LEARN_FROM, steps), steps})
        for at, end in pairwise(edges):
            if stop is not None and stop.is_set():
                raise InterruptedError("the demonstration was stopped")
            outputs += list(core.stream(x[at:end], y[at:end], learn=at >= LEARN_FROM))
            looked.append(end)
            weights.append(_weights(core))
            if end == LEARN_FROM:
                plain_cycles = _cycles(core)
            if progress is not None:
                progress(end - at)
        seconds = time.monotonic() - began
        state, counters, all_cycles = core.state_dict(), core.counters(), _cycles(core)
        compiled = core.image.timetable
    out = np.array(outputs).reshape(steps)
    loss = float(np.mean((out[-WINDOW:] - y[-WINDOW:, 0]) ** 2))
    learning = max(0, steps - LEARN_FROM)
    cycles = learning * compiled.cycles_learning + (steps - learning) * compiled.cycles_plain
    rule = "GLE" if prospective_errors else "instantaneous"
    return Run(
        rule, seed, eta, np.array(looked), np.array(weights), out, loss, seconds, cycles,
        all_cycles, all_cycles - plain_cycles if learning else 0, counters, state,
    )  # fmt: skip


def _weights(core: Device) -> NDArray[np.float64]:
    """The two weights that learn."""
    return np.array(core.state_dict()["projection.0.weight"][:, 0], dtype=np.float64)


def _cycles(core: Device) -> int:
    """Cycles of the steps so far, each with the idle one before it."""
    counters = core.counters()
    return int(counters["busy"] + counters["steps"])


def differing_bits(a: Run, b: Run) -> int:
    """Bits in which two runs differ: all outputs, and all weights and states at the end."""
    scale = 2.0**CORE.formats.r.frac
    pairs = [((a.outputs * scale).astype(np.int64), (b.outputs * scale).astype(np.int64))]
    names = sorted(set(a.state) | set(b.state))
    pairs += [
        (a.state[n].astype(np.int64), b.state[n].astype(np.int64))
        for n in names
        if n.endswith(".raw") or n.startswith("register.")
    ]
    return sum(int(np.bitwise_count(np.bitwise_xor(p, q)).sum()) for p, q in pairs)
