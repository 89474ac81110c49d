# SPDX-License-Identifier: Apache-2.0
"""Input modes: samples that drive several steps."""

from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.flags import Flag
from antevolt.host.device import Device, Sample, open
from antevolt.host.samples import Batch
from antevolt.host.substeps import InputSetting
from small import NETWORK, SMALL, everything, same, signals

X, Y = signals(24, 2), signals(24, 1, seed=1)
F = SMALL.formats.r


def flags_of(batch: Batch, flag: Flag) -> list[list[bool]]:
    return (batch.flags & flag != 0).astype(bool).tolist()


def test_samples_are_held() -> None:
    x, y = np.arange(6).reshape(3, 2, 1), np.arange(6).reshape(3, 2, 1) + 10
    flags = np.full((3, 2), int(Flag.VALID | Flag.LEARN | Flag.FIRST | Flag.LAST))
    steps = InputSetting(3).expand(Batch(x, y, flags, 4, 5), x[0])
    assert steps.x[:, :, 0].tolist() == np.repeat(x[:, :, 0], 3, axis=0).tolist()
    assert steps.y[:, :, 0].tolist() == np.repeat(y[:, :, 0], 3, axis=0).tolist()
    assert flags_of(steps, Flag.FIRST) == [[True] * 2, [False] * 2, [False] * 2] * 3
    assert flags_of(steps, Flag.LAST) == [[False] * 2, [False] * 2, [True] * 2] * 3
    assert flags_of(steps, Flag.VALID | Flag.LEARN) == [[True] * 2] * 9
    assert (steps.saturated_inputs, steps.saturated_targets) == (4, 5)


def test_samples_are_interpolated_and_rounded_down() -> None:
    rng, k = np.random.default_rng(0), 8
    x = rng.integers(F.raw_min, F.raw_max + 1, (40, 3, 2))
    flags = (rng.random((40, 3, 2)) < (0.7, 0.2)) @ (int(Flag.VALID), int(Flag.FIRST))
    start = rng.integers(F.raw_min, F.raw_max + 1, (3, 2))
    batch = Batch(x, np.zeros((40, 3, 1), dtype=np.int64), flags)
    steps = InputSetting(k, "interpolate").expand(batch, start).x.reshape(40, k, 3, 2)
    for s in range(3):
        before = start[s]
        for t in range(40):
            if not flags[t, s] & Flag.VALID:
                continue
            if flags[t, s] & Flag.FIRST:
                before = x[t, s]
            for i in range(1, k + 1):
                exact = [int(b) + (int(n) - int(b)) * i // k for n, b in zip(x[t, s], before)]  # noqa: B905
                assert steps[t, i - 1, s].tolist() == exact
            assert (steps[t, -1, s] == x[t, s]).all()
            before = x[t, s]


@pytest.mark.parametrize("mode", ["hold", "interpolate"])
def test_a_device_runs_the_steps(device: Device, mode: str) -> None:
    """As if the steps had come as samples, in chunks of any size, over the end of a call."""
    first = np.arange(24) % 10 == 0
    batch = Batch(F.to_raw(X), F.to_raw(Y), np.where(first, 3, 1)[:, None])
    zero = np.zeros((1, 2), dtype=np.int64)
    steps = InputSetting(4, mode).expand(batch, zero)
    wanted = np.array(
        list(
            device.stream(
                F.to_real(steps.x), F.to_real(steps.y), True, first=steps.flags & Flag.FIRST != 0
            )
        )
    )
    memories = everything(device)
    device.load(NETWORK)
    device.set_inputs(4, mode)
    got = list(device.stream(X[:7], Y[:7], True, first=first[:7], chunk=2))
    samples = [Sample(*each) for each in zip(X, Y, strict=True)]
    later = (s._replace(first=bool(f)) for s, f in zip(samples[7:], first[7:], strict=True))
    got += list(device.stream(later, learn=True, chunk=5))
    assert (np.array(got) == wanted).all()
    assert same(everything(device), memories)


def test_one_output_per_sample(device: Device) -> None:
    device.set_inputs(4)
    every = device.predict(X)
    assert every.shape == (96, 1, 1)
    device.set_outputs("every", 4)
    assert (device.predict(X) == every[3::4]).all()
    assert [r.step for r in device.results(X[:3], chunk=1)] == [3, 7, 11]
    device.set_outputs("last")
    assert [r.step for r in device.results(X[:6], last=np.arange(6) % 3 == 2)] == [11, 23]


@pytest.mark.parametrize("setting", [(0,), (1.0,), (1 << 13,), (2, "spline"), (6, "interpolate")])
def test_bad_settings_are_refused(setting: Any) -> None:
    with open("model") as device:
        device.load(NETWORK)
        device.set_inputs(2)
        with pytest.raises(BadInput):
            device.set_inputs(*setting)
        assert len(device.predict(X)) == 48
        device.load(NETWORK)
        assert len(device.predict(X)) == 24
