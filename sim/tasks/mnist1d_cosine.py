# SPDX-License-Identifier: Apache-2.0
"""How well the core's gradient, in its own arithmetic, agrees with the exact one of float64.

The core learns some batches of whole sequences without a change of its weights, and its gradient
memories are read. The exact gradient is that of back-propagation through time, by the same weights
and the same errors at the output; for its definition see `sim/golden/adjoint.py`.
"""

import numpy as np
from numpy.typing import NDArray

from antevolt.host.checkpoint import State
from antevolt.host.device import Device
from antevolt.sim.golden.adjoint import exact_gradient
from antevolt.sim.tasks.mnist1d_data import CLASSES, LENGTH, Split
from antevolt.sim.tasks.pieces import stepwise

__all__ = ["cosines"]

SEQUENCES = 64


def cosines(core: Device, split: Split) -> list[float]:
    """Cosine per projection, of the first 64 sequences; NaN where a gradient is zero.

    Leaves no trace in the core but for its counters.
    """
    streams = core.machine.total_streams
    count = min(len(split), max(SEQUENCES, streams)) // streams
    network, state = core.network, core.state_dict()
    weights = {
        f"{k}.{part}": np.asarray(state[f"projection.{k}.{part}"], dtype=np.float64)
        for k in range(len(network.projections))
        for part in ("weight", "bias")
    }
    core.set(apply_every=LENGTH + 1)
    cleared = {**core.state_dict(), "register.learned": np.zeros(1, dtype=np.int64)}
    numbers = range(len(network.projections))
    own, exact = [0.0 * _flat(state, k) for k in numbers], [0.0 * _flat(state, k) for k in numbers]
    for batch in range(count):
        part = slice(batch * streams, (batch + 1) * streams)
        x = stepwise(split.x[part, :, None], streams)
        y = stepwise(np.repeat(np.eye(CLASSES)[split.y[part]][:, None], LENGTH, axis=1), streams)
        first = np.arange(LENGTH) == 0
        core.load_state_dict(cleared)
        core.partial_fit(x, y, first=first)
        after = core.state_dict()
        wanted = exact_gradient(network, weights, x, y, first=first, through_leak=False).gradient
        for k in numbers:
            own[k] += _flat(after, k)
            exact[k] += wanted.projection(k)
    core.set(apply_every=network.apply_every)
    core.load_state_dict(state)
    return [_cosine(a, b) for a, b in zip(own, exact, strict=True)]


def _flat(state: State, k: int) -> NDArray[np.float64]:
    """The gradient of a projection as `Gradient.projection` has it: weights, then biases."""
    columns = np.asarray(state[f"projection.{k}.gradient"], dtype=np.float64)
    return np.concatenate([columns[:, :-1].ravel(), columns[:, -1]])


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else float("nan")
