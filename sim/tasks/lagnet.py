# SPDX-License-Identifier: Apache-2.0
"""LagNet: a student learns a teacher's lags on the chip, online, one sample and one change a step.

Network 1-2-2-1 of neurons with and without a lag; the first projection learns, the others are the
teacher's. The task is that of arXiv 2403.16933, figure 6, learned by plain SGD.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Parameters, Population, Projection
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
CHUNK = 250  # steps between two looks at the weights
WINDOW = 2000  # steps over which a loss is averaged: the last ones

CORE = Machine(w_depth=64, r_depth=64, state_depth=64, q_depth=64, io_depth=16)
"""The core of the demonstration: one row, one stream."""

Progress = Callable[[int], None]


def network(eta: float, prospective_errors: bool) -> Network:
    """The student; the second neuron of each hidden population lags."""
    hidden = Population(
        2, "tanh", tau_m=1.0, tau_r=(1.0, 0.1), gamma=1e-3, prospective_errors=prospective_errors
    )
    output = Population(1, "linear", prospective_errors=prospective_errors)
    projections = tuple(Projection(k, k + 1, bias=False, learn=k == 0) for k in range(3))
    return Network(1, (hidden, hidden, output), projections, dt=DT, beta=1.0, eta=eta)


@cache
def signals(steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Input and target [steps, 1]: the target is the teacher's output in floating point."""
    time = DT * np.arange(steps)
    x = np.sum([np.sin(w * time) for w in FREQUENCIES], axis=0)[:, None]
    teacher = FloatNetwork(network(ETA, True), TEACHER)
    return x, np.asarray(teacher.predict(x)).reshape(steps, 1)


@dataclass(frozen=True)
class Run:
    """One student.

    weights  [looks, 2] of the learning projection, at step `looked`;  outputs [steps]
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
    def slot_use(self) -> float:
        """Useful products over what the array's multipliers could make in the busy cycles.

        Per step w r of all projections, w e of those that need q, e r of the one that learns.
        """
        n = [p.size for p in network(ETA, True).populations]
        synapses = [n[0] * 1, n[1] * n[0], n[2] * n[1]]
        products = sum(synapses) + synapses[1] + synapses[2] + synapses[0]
        busy = self.counters["busy"]
        return products * self.counters["steps"] / (2 * busy) if busy else float("nan")


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
    import time

    x, y = signals(steps)
    start = np.random.default_rng(seed).uniform(-1, 1, (2, 1))
    student = {**TEACHER, "0.weight": start}
    began = time.monotonic()
    outputs, looked, weights = [], [0], [start[:, 0]]
    with open_device(device, machine=CORE) as core:
        core.load(network(eta, prospective_errors), student)
        for at in range(0, steps, CHUNK):
            if stop is not None and stop.is_set():
                raise InterruptedError("the demonstration was stopped")
            part = slice(at, min(at + CHUNK, steps))
            on = np.arange(part.start, part.stop) >= LEARN_FROM
            outputs += list(core.stream(x[part], y[part], learn=on, first=on & False))
            looked.append(part.stop)
            weights.append(_weights(core))
            if progress is not None:
                progress(part.stop - part.start)
        state, counters = core.state_dict(), core.counters()
        compiled = core.image.timetable
    seconds = time.monotonic() - began
    out = np.array(outputs).reshape(steps)
    loss = float(np.mean((out[-WINDOW:] - y[-WINDOW:, 0]) ** 2))
    learning = max(0, steps - LEARN_FROM)
    cycles = learning * compiled.cycles_learning + (steps - learning) * compiled.cycles_plain
    rule = "GLE" if prospective_errors else "instantaneous"
    return Run(
        rule, seed, eta, np.array(looked), np.array(weights), out, loss, seconds, cycles, counters,
        state,
    )  # fmt: skip


def _weights(core: Device) -> NDArray[np.float64]:
    """The two weights that learn."""
    return np.array(core.state_dict()["projection.0.weight"][:, 0], dtype=np.float64)


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
