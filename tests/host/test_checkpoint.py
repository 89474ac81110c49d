# SPDX-License-Identifier: Apache-2.0
"""State: out, in again, bit for bit; and files of it."""

from pathlib import Path

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.machine import Machine
from antevolt.host.device import Device, open
from small import NETWORK, everything, same, signals

X, Y = signals(30, 2, 1), signals(30, 1, 2)


def test_state_round_trip_is_bit_exact(device: Device) -> None:
    device.partial_fit(X, Y)
    state, memory = device.state_dict(), everything(device)
    ahead = np.array(list(device.stream(X, Y, learn=True)))
    assert not same(memory, everything(device))
    device.load(NETWORK)
    device.load_state_dict(state)
    again = device.state_dict()
    assert all(np.array_equal(state[name], again[name]) for name in state)
    assert np.array_equal(np.array(list(device.stream(X, Y, learn=True))), ahead)


@pytest.mark.parametrize("kept", ["floats", "integers"])
def test_either_of_floats_and_integers_is_enough(device: Device, kept: str) -> None:
    device.partial_fit(X, Y)
    state, memory = device.state_dict(), everything(device)
    part = {
        name: value
        for name, value in state.items()
        if name.startswith("register.") or name.endswith(".raw") == (kept == "integers")
    }
    device.partial_fit(X, Y)
    device.load_state_dict(part)
    found = everything(device)
    for region in memory:
        if region.name != "REGISTERS":  # the saturation counters are no state
            assert np.array_equal(memory[region], found[region]), region


def test_state_has_every_learnable_word_and_state(device: Device) -> None:
    device.partial_fit(X, Y)
    state = device.state_dict()
    names = {"projection.0.weight", "projection.0.bias", "projection.0.gradient"}
    names |= {"projection.1.weight", "projection.1.bias", "projection.1.gradient"}
    names |= {f"population.{k}.{s}" for k in (1, 2) for s in ("u", "v", "e", "slope")}
    names |= {"population.1.q", "population.0.r", "population.1.r", "output"}
    names |= {f"register.{r}" for r in ("step", "seed", "apply_every", "learned")}
    assert names <= set(state)
    for name, shape in {
        "projection.0.weight": (3, 2),
        "projection.0.bias": (3,),
        "population.1.u": (1, 3),
        "output": (1, 1),
    }.items():
        assert state[name].shape == shape
        assert state[name].any(), name
    assert state["projection.0.weight.raw"].dtype == np.int64
    assert np.array_equal(state["projection.0.weight"], state["projection.0.weight.raw"] * 2.0**-15)


def test_a_state_moves_from_the_model_to_the_netlist(tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    with open("model") as model, open("rtl") as rtl:
        model.load(NETWORK)
        rtl.load(NETWORK)
        model.partial_fit(X, Y)
        model.save(path)
        rtl.restore(path)
        assert np.array_equal(
            np.array(list(model.stream(X, Y, learn=True))),
            np.array(list(rtl.stream(X, Y, learn=True))),
        )
        ours, theirs = model.state_dict(), rtl.state_dict()
        assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_bad_files_leave_the_state(device: Device, tmp_path: Path) -> None:
    path = tmp_path / "state.safetensors"
    device.partial_fit(X, Y)
    device.save(path)
    device.partial_fit(X, Y)
    before = everything(device)
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(BadFile, match="not a whole"):
        device.restore(path)
    with open("model") as other:
        other.load(NETWORK.with_(eta=0.5))
        other.save(path)
    with pytest.raises(BadFile, match="another network"):
        device.restore(path)
    with open("model", machine=Machine(streams=2)) as other:
        other.load(NETWORK)
        other.save(path)
    with pytest.raises(BadFile, match=r"shape \[2, 2\]; expected \[1, 2\]"):
        device.restore(path)
    assert same(before, everything(device))
