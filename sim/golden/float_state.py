# SPDX-License-Identifier: Apache-2.0
"""All that the next step of a float model depends on, as arrays by name, and back."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile
from antevolt.sim.golden.activations import Array
from antevolt.sim.golden.plastic import Plastic
from antevolt.sim.golden.reference import STATE, FloatNetwork

__all__ = ["arrays", "put"]

COUNTS = "counts"
"""Steps, and learning steps since the last APPLY."""


def _lists(model: FloatNetwork) -> dict[str, list[Array | None]]:
    """The lists that hold arrays; what is assigned there, the model uses."""
    lists = {
        **{name: model.state(name) for name in STATE},
        "weight": model.weights,
        "bias": model.biases,
        "backward": model.backward,
        "tau_m": model.tau_m,
        "tau_r": model.tau_r,
        "sum.weight": model.gradient.weights,
        "sum.bias": model.gradient.biases,
        "sum.tau_m": model.gradient.tau_m,
        "sum.tau_r": model.gradient.tau_r,
    }
    return lists  # type: ignore[return-value]  # lists of Array are lists of Array or None here


def _moments(model: Plastic) -> dict[str, dict[str, Array]]:
    return {"m": model.optimizer.m, "v": model.optimizer.v}


def arrays(model: FloatNetwork) -> dict[str, NDArray[np.generic]]:
    """Copies."""
    found: dict[str, NDArray[np.generic]] = {
        COUNTS: np.array([model.steps, model.learned], dtype=np.int64)
    }
    for name, values in _lists(model).items():
        found |= {f"{name}.{k}": v.copy() for k, v in enumerate(values) if v is not None}
    for name, moments in _moments(model).items():
        found |= {f"{name}:{k}": v.copy() for k, v in moments.items()}
    return found


def put(model: FloatNetwork, held: Mapping[str, NDArray[np.generic]]) -> None:
    """Take over what `arrays` gave of a model of the same network; raises BadFile, and changes
    nothing, where names or shapes are others."""
    lists, moments = _lists(model), _moments(model)
    there = {f"{name}.{k}": v for name, values in lists.items() for k, v in enumerate(values)}
    wanted = {COUNTS: (2,)} | {name: v.shape for name, v in there.items() if v is not None}
    given = {name: v.shape for name, v in held.items() if ":" not in name}
    if given != wanted:
        raise BadFile("these are not the arrays of this network with so many streams")
    for name, values in lists.items():
        for k in range(len(values)):
            if values[k] is not None:
                values[k] = np.array(held[f"{name}.{k}"], dtype=np.float64)
    for name, kept in moments.items():
        kept.clear()
        for full, value in held.items():
            if full.startswith(f"{name}:"):
                kept[full.removeprefix(f"{name}:")] = np.array(value, dtype=np.float64)
    model.steps, model.learned = (int(count) for count in held[COUNTS])
    model.take_time_constants()
