# SPDX-License-Identifier: Apache-2.0
"""The device: streaming, learning, prediction, state; the same on the model and on the netlist."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput, BadNetwork, Closed, DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import KINDS, Region, Register
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import Device, Sample, open
from small import NETWORK, SMALL, everything, same, signals

X, Y = signals(40, 2, 1), signals(40, 1, 2)


def test_model_and_netlist_agree_bit_for_bit() -> None:
    found = []
    for name in ("model", "rtl"):
        with open(name, machine=SMALL) as device:
            device.load(NETWORK)
            outputs = np.array(list(device.stream(X, Y, learn=True, chunk=7)))
            found.append((outputs, everything(device), device.counters()["slots"]))
    assert np.array_equal(found[0][0], found[1][0])
    assert same(found[0][1], found[1][1])
    assert found[0][2] == found[1][2]


def test_a_core_that_counts_no_saturations_says_so() -> None:
    machine = Machine(saturations=False, spacing=9)
    network = NETWORK.with_(beta=200.0)
    with open("model", machine=machine) as device:
        device.load(network)
        list(device.stream(X, Y, learn=True))
        counters = device.counters()
        words = device.backend.read(Region.REGISTERS, 0, Register.SATURATED, len(KINDS))
    assert counters["saturated"] == {}
    assert counters["saturated_sums"] is None
    assert not words.any()
    with open("model", machine=Machine(spacing=9)) as device:
        device.load(network)
        list(device.stream(X, Y, learn=True))
        others = device.counters()
    assert sum(others["saturated"].values()) > 0
    for name in ("cycles", "busy", "steps", "slots"):
        assert others[name] == counters[name]


def test_outputs_come_one_step_at_a_time_and_do_not_depend_on_the_chunk(device: Device) -> None:
    outputs = [np.array(list(device.stream(X, Y, True, chunk=64)))]
    assert outputs[0].shape == (40, 1, 1)
    assert len(np.unique(outputs[0])) > 30
    for chunk in (1, 9):
        device.load(NETWORK)
        outputs.append(np.array(list(device.stream(X, Y, True, chunk=chunk))))
    assert np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[0], outputs[2])


def test_arrays_and_iterators_are_the_same(device: Device) -> None:
    first = np.arange(40) % 10 == 0
    by_array = np.array(list(device.stream(X, Y, learn=True, first=first)))
    after = everything(device)
    samples = [Sample(x, y, first=f) for x, y, f in zip(X, Y, first, strict=True)]
    for source in (iter(samples), samples, tuple(each._asdict() for each in samples)):
        device.load(NETWORK)
        one_by_one = np.array(list(device.stream(source, learn=True)))
        assert np.array_equal(by_array, one_by_one)
        assert same(after, everything(device))


def test_the_source_is_read_no_further_than_a_chunk_ahead(device: Device) -> None:
    taken = []

    def source() -> Iterator[Any]:
        for k in range(10**9):
            taken.append(k)
            yield X[k % 40]

    stream = device.stream(source(), chunk=5)
    assert not taken
    next(stream)
    assert len(taken) == 5
    for _ in range(4):
        next(stream)
    assert len(taken) == 5
    next(stream)
    assert len(taken) == 10


def test_the_next_sample_may_depend_on_the_output(device: Device) -> None:
    last = np.zeros((1, 1))

    def source() -> Iterator[Any]:
        for _ in range(5):
            yield np.concatenate([last, last + 0.5], axis=1)

    outputs = []
    for last in device.stream(source(), chunk=1):  # noqa: B007
        outputs.append(float(last[0, 0]))
    assert len(set(outputs)) == 5


def test_a_frozen_stream_keeps_everything_but_the_step(device: Device) -> None:
    device.partial_fit(X, Y)
    before = device.state_dict()
    device.partial_fit(X[:5], Y[:5], valid=False)
    after = device.state_dict()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    spent = {name for name in before if ".gradient" in name}  # they were applied: sums start anew
    assert changed - spent == {"register.step"}
    assert after["register.step"] == before["register.step"] + 5


def test_first_starts_from_the_zero_state(device: Device) -> None:
    fresh = device.predict(X[:10])
    list(device.stream(X))
    assert not np.array_equal(device.predict(X[:10]), fresh)
    assert np.array_equal(device.predict(X[:10], first=[True] + [False] * 9), fresh)


def test_predict_leaves_no_trace(device: Device) -> None:
    device.partial_fit(X, Y)
    before = everything(device)
    outputs = device.predict(X[::-1])
    assert outputs.shape == (40, 1, 1)
    assert np.array_equal(device.predict(X[::-1, 0]), outputs[:, 0])
    assert same(before, everything(device))


def test_learning_changes_weights_and_reduces_the_error(device: Device) -> None:
    x = np.repeat(signals(1, 2, 5), 60, axis=0)
    y = np.full((60, 1, 1), 0.5)
    errors = [abs(0.5 - float(out[0, 0])) for out in device.stream(x, y, learn=True)]
    assert np.mean(errors[-5:]) < np.mean(errors[5:10])
    before = NETWORK.random_parameters(NETWORK.seed)["0.weight"]
    assert not np.allclose(device.state_dict()["projection.0.weight"], before, atol=1e-3)


def test_learn_one_is_one_step_of_partial_fit(device: Device) -> None:
    for x, y in zip(X[:8], Y[:8], strict=True):
        out = device.learn_one(x, y)
    assert out.shape == (1, 1)
    after = everything(device)
    device.load(NETWORK)
    assert device.partial_fit(X[:8], Y[:8]) is device
    assert same(after, everything(device))


def test_counters_add_up(device: Device) -> None:
    assert device.counters()["steps"] == 0
    loaded = device.loaded
    assert loaded is not None
    device.partial_fit(X, Y)
    counters = device.counters()
    assert counters["steps"] == 40
    waits = counters["stalled_input"] + counters["stalled_output"]
    # the compiler counts the idle cycle between two steps, too
    assert counters["busy"] - waits + 40 == 40 * loaded.cycles_learning
    assert counters["cycles"] >= counters["busy"]
    assert counters["slots"] > 0
    assert sum(counters["saturated"].values()) == 0
    list(device.stream([Sample(np.array([9.0, -9.0]), np.array([100.0]))].__iter__()))
    assert device.counters()["saturated_on_host"] == {"inputs": 2, "targets": 1, "weights": 0}


def test_weights_beyond_their_format_saturate_and_are_counted(device: Device) -> None:
    parameters = NETWORK.random_parameters(0)
    parameters["0.weight"][1, 0] = 5.0
    parameters["1.bias"][0] = -5.0
    assert device.load(NETWORK, parameters).saturated_weights == 2
    assert device.counters()["saturated_on_host"]["weights"] == 2
    state = device.state_dict()
    assert state["projection.0.weight"][1, 0] == 4.0 - 2.0**-15
    assert state["projection.1.bias"][0] == -4.0


def test_loading_starts_anew(device: Device) -> None:
    fresh = everything(device)
    device.partial_fit(X, Y)
    device.load(NETWORK)
    assert same(fresh, everything(device))
    assert device.counters()["steps"] == 0


def test_a_refused_network_leaves_the_loaded_one(device: Device) -> None:
    device.partial_fit(X, Y)
    before = everything(device)
    with pytest.raises(DoesNotFit):
        device.load(Network(500, (Population(400),)))
    with pytest.raises(BadNetwork, match="NaN"):
        device.load(NETWORK, {**NETWORK.random_parameters(0), "1.bias": [np.nan]})
    with pytest.raises(BadNetwork, match="shape"):
        device.load(NETWORK, {**NETWORK.random_parameters(0), "1.bias": [0.0, 0.0]})
    assert same(before, everything(device))
    assert device.network == NETWORK


@pytest.mark.parametrize(
    ("name", "changes", "says"),
    [
        (None, {}, "there is no device None"),
        ([], {}, r"there is no device \[\]"),
        ("model", {"machine": {"rows": 3}}, r"machine is {'rows': 3}; it is a Machine"),
        ("model", {"deadline": "1"}, "deadline is '1'"),
    ],
)
def test_what_cannot_be_opened(name: Any, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        open(name, **changes)


def test_a_stream_ends_when_another_network_is_loaded(device: Device) -> None:
    stream = device.stream(X, chunk=1)
    next(stream)
    device.load(NETWORK)
    with pytest.raises(Closed, match="another network"):
        next(stream)


def test_a_closed_device_says_so(device: Device) -> None:
    stream = device.stream(X, chunk=1)
    next(stream)
    device.close()
    device.close()
    for call in (
        lambda: device.load(NETWORK),
        lambda: device.predict(X),
        lambda: device.learn_one(X[0], Y[0]),
        lambda: device.state_dict(),
        lambda: device.counters(),
        lambda: next(stream),
    ):
        with pytest.raises(Closed):
            call()
    assert "closed" in repr(device)


def test_an_interrupt_closes_the_device(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(device.backend, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        device.learn_one(X[0], Y[0])
    with pytest.raises(Closed):
        device.counters()


def test_no_network_is_loaded_yet() -> None:
    with open("model") as device, pytest.raises(BadInput, match="load first"):
        device.predict(X)


@pytest.mark.parametrize("name", ["modle", "serial:", ""])
def test_unknown_devices_are_named(name: str) -> None:
    with pytest.raises(BadInput, match="'model', 'rtl'"):
        open(name)


@pytest.mark.parametrize("deadline", [0, -1.0, float("nan"), "soon"])
def test_deadlines_are_seconds(deadline: Any) -> None:
    with pytest.raises(BadInput, match="deadline"):
        open("model", deadline=deadline)


def test_streams_share_weights_and_keep_their_states_apart() -> None:
    x = np.random.default_rng(3).uniform(-1, 1, (20, 6, 2))
    machine = Machine(rows=2, streams=3, contexts=2)
    with open("model", machine=machine) as many, open("model") as one:
        many.load(NETWORK)
        outputs = many.predict(x)
        assert outputs.shape == (20, 6, 1)
        for k in range(6):
            one.load(NETWORK)
            assert np.array_equal(one.predict(x[:, k : k + 1]), outputs[:, k : k + 1])


def test_the_model_is_compiled_unless_numpy_is_asked_for() -> None:
    implementations = {"model": "compiled", "model:numpy": "numpy"}
    for name, implementation in implementations.items():
        with open(name) as device:
            assert device.name == name
            assert device.implementation == implementation
            assert implementation in repr(device)
