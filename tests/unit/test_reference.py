# SPDX-License-Identifier: Apache-2.0
"""The float model against recorded trajectories and against a scalar implementation of its own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scalar import make

from antevolt.hdl.spec.network import PHI
from antevolt.sim.golden.vectors import TOLERANCE, read, replay

VECTORS = sorted((Path(__file__).parents[1] / "data" / "vectors").glob("*.npz"))


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_recorded_trajectory(path: Path) -> None:
    differences = replay(read(path))
    assert max(d.largest for d in differences) < 1e-12
    assert {d.quantity for d in differences} >= {"u", "v", "r", "e", "out", "W_final"}


def test_there_are_six_recordings() -> None:
    assert len(VECTORS) == 6


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
