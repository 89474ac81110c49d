# SPDX-License-Identifier: Apache-2.0
"""Input that is refused leaves the device as it was."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.device import Device, Sample
from small import NETWORK, everything, same, signals

X, Y = signals(10, 2, 1), signals(10, 1, 2)


def spoiled(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array[-1, 0, -1] = value
    return array


CALLS: dict[str, Callable[[Device], Any]] = {
    "NaN in samples": lambda d: d.stream(spoiled(X, np.nan), Y),
    "infinity in targets": lambda d: d.stream(X, spoiled(Y, np.inf), learn=True),
    "samples of another shape": lambda d: d.stream(X[:, :, :1], Y),
    "targets of another length": lambda d: d.stream(X, Y[:5]),
    "text": lambda d: d.stream(np.full((10, 1, 2), "1"), Y),
    "objects": lambda d: d.stream(np.full((10, 1, 2), None), Y),
    "complex numbers": lambda d: d.stream(X + 1j, Y),
    "a target that is not there": lambda d: d.stream(X, target_valid=True),
    "a flag of another length": lambda d: d.stream(X, Y, first=[True] * 9),
    "no chunk": lambda d: d.stream(X, Y, chunk=0),
    "targets beside an iterable": lambda d: d.stream(iter(X), Y),
    "NaN to predict": lambda d: d.predict(spoiled(X, np.nan)),
    "one number to predict": lambda d: d.predict(0.5),
    "learn_one with NaN": lambda d: d.learn_one([0.0, np.nan], [0.0]),
    "learn_one with too few": lambda d: d.learn_one([0.0], [0.0]),
    "partial_fit without a target's unit": lambda d: d.partial_fit(X, Y[:, :, :0]),
    "a state with another name": lambda d: d.load_state_dict({**d.state_dict(), "w": [1.0]}),
    "a state of another shape": lambda d: d.load_state_dict(
        {**d.state_dict(), "population.1.u": np.zeros((2, 3))}
    ),
    "a state with NaN": lambda d: d.load_state_dict(
        {**d.state_dict(), "projection.1.bias": [np.nan]}
    ),
    "a state beyond its format": lambda d: d.load_state_dict(
        {**d.state_dict(), "projection.1.bias.raw": [1 << 17]}
    ),
    "a state that contradicts itself": lambda d: d.load_state_dict(
        {**d.state_dict(), "projection.1.bias": [0.125]}
    ),
    "a state with a fraction for an integer": lambda d: d.load_state_dict(
        {**d.state_dict(), "register.step": [0.5]}
    ),
    "no state": lambda d: d.load_state_dict(None),  # type: ignore[arg-type]
    "a state with a number for a name": lambda d: d.load_state_dict({1: [1.0]}),  # type: ignore[dict-item]
    "a network with its parameters": lambda d: d.load((NETWORK, None)),  # type: ignore[arg-type]
    "a file for a network": lambda d: d.load("lag.json"),  # type: ignore[arg-type]
    "targets beside a list of samples": lambda d: d.stream([Sample(X[0])], Y[:1]),
    "an incomplete state": lambda d: d.load_state_dict({"register.step": [1]}),
}


@pytest.mark.parametrize("what", CALLS)
def test_refused(device: Device, what: str) -> None:
    device.partial_fit(X, Y)
    before = everything(device)
    with pytest.raises(BadInput):
        CALLS[what](device)
    assert same(before, everything(device))


def test_the_samples_before_a_bad_one_run(device: Device) -> None:
    samples = [Sample(x, y) for x, y in zip(X[:6], Y[:6], strict=True)]
    samples[4] = Sample(X[4], [np.inf])
    stream = device.stream(iter(samples), learn=True, chunk=3)
    for _ in range(4):
        next(stream)
    with pytest.raises(BadInput, match="step 4"):
        next(stream)
    assert device.counters()["steps"] == 4
