# SPDX-License-Identifier: Apache-2.0
"""The rival that people have: the same job, as one writes it with tensors (`cpu_gle.c` says what).

Nothing here asks whose tensors they are: PyTorch times it, numpy tests it.
"""

import time
from typing import Any

import numpy as np

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.extras import install
from antevolt.sim.peers.cpu import Timing

__all__ = ["Tensors", "run"]

DT, ETA, SLOW = 0.2, 1e-4, 1.2
WARM, SECONDS, MEASUREMENTS = 5, 0.4, 3


class Tensors:
    """tanh neurons with a linear output, squared error, rule `gle`, sequential schedule, weights
    changed after every step by eta times the mean over the streams.

    library   `torch` or `numpy`
    weights   of each projection [target, source]
    tau_m, tau_r   of each population [neuron]
    streams   S

    The equations are those of Generalized Latent Equilibrium (arXiv 2403.16933).
    """

    def __init__(
        self,
        library: Any,
        weights: list[np.ndarray],
        tau_m: list[np.ndarray],
        tau_r: list[np.ndarray],
        streams: int,
    ):
        def tensors(arrays: list[np.ndarray]) -> list[Any]:
            return [library.asarray(np.asarray(a, np.float32)) for a in arrays]

        self.library, self.streams = library, streams
        self.weights, self.tau_m, self.tau_r = tensors(weights), tensors(tau_m), tensors(tau_r)
        zeros = [np.zeros((streams, len(w))) for w in weights]
        self.u, self.v = tensors(zeros), tensors(zeros)

    def step(self, x: Any, y: Any) -> Any:
        """x [S, inputs], y [S, outputs]: the outputs, before the change of the weights."""
        rates, slopes = [x], []
        last = len(self.weights) - 1
        for n, w in enumerate(self.weights):
            u_dot = (rates[-1] @ w.T - self.u[n]) / self.tau_m[n]
            p = self.u[n] + self.tau_r[n] * u_dot
            self.u[n] = self.u[n] + DT * u_dot
            rates.append(p if n == last else self.library.tanh(p))
            slopes.append(1.0 if n == last else 1.0 - rates[-1] ** 2)
        q = y - rates[-1]
        for n in range(last, -1, -1):
            v_dot = (slopes[n] * q - self.v[n]) / self.tau_r[n]
            e = self.v[n] + self.tau_m[n] * v_dot
            self.v[n] = self.v[n] + DT * v_dot
            q = e @ self.weights[n]
            self.weights[n] = self.weights[n] + ETA / self.streams * (e.T @ rates[n])
        return rates[-1]


def network(library: Any, streams: int, sizes: tuple[int, ...], seed: int = 0) -> Tensors:
    """The job of `cpu_gle.c`: of three hidden neurons two have tau_r = dt, all others no lag."""
    draw = np.random.default_rng(seed)
    pairs = list(zip(sizes[1:], sizes[:-1], strict=True))
    weights = [draw.uniform(-1, 1, pair) / pair[1] ** 0.5 for pair in pairs]
    tau_m = [np.full(n, SLOW) for n in sizes[1:]]
    tau_r = [np.where(np.arange(n) % 3, DT, SLOW) for n in sizes[1:-1]] + [np.full(sizes[-1], SLOW)]
    return Tensors(library, weights, tau_m, tau_r, streams)


def run(streams: int, sizes: tuple[int, ...]) -> Timing:
    """PyTorch's on one processor core, in processor time: as `cpu.run`, without `check`.

    Raises BadInput where there is no PyTorch.
    """
    try:
        import torch
    except ImportError as error:
        raise BadInput(f"PyTorch is not installed; {install('torch')} brings it") from error
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            return _fastest(torch, streams, sizes)
    finally:
        torch.set_num_threads(threads)


def _fastest(library: Any, streams: int, sizes: tuple[int, ...]) -> Timing:
    job = network(library, streams, sizes)
    wave = np.sin(np.arange(streams)[:, None] + np.arange(max(sizes)), dtype=np.float32)
    x, y = (library.asarray(wave[:, :n]) for n in (sizes[0], sizes[-1]))

    def seconds(steps: int) -> float:
        start = time.process_time()
        for _ in range(steps):
            job.step(x, y)
        return time.process_time() - start

    steps = max(WARM, int(WARM * SECONDS / max(seconds(WARM), 1e-6)))
    taken = min(seconds(steps) for _ in range(MEASUREMENTS))
    synapses = sum(n * m for n, m in zip(sizes[1:], sizes[:-1], strict=True))
    return {
        "streams": streams,
        "synapses": synapses,
        "steps": steps,
        "seconds": taken,
        "us_per_step": 1e6 * taken / steps,
        "learned_synapses_per_s": synapses * streams * steps / taken,
    }
