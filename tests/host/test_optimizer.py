# SPDX-License-Identifier: Apache-2.0
"""Optimizers on the device: what fits, what momenta become, their state, and rate schedules."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput, BadNetwork, Closed, DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.moments import CARRYING, NEEDS, Rule, knows
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.hdl.spec.program import Kind
from antevolt.hdl.spec.timing import DIRECTION
from antevolt.host.campaign import ROOM
from antevolt.host.compile import compile
from antevolt.host.device import open
from antevolt.host.quantize import decay
from antevolt.host.random_samples import random_network
from small import everything, same, signals

X, Y = signals(40, 2, 1), signals(40, 1, 2)
MACHINE = Machine(rows=2, moments=2)


def network(optimizer: Any = "adam", **changes: Any) -> Network:
    populations = Population(3, "tanh", 2.0, 2.0), Population(1)
    return Network(2, populations, optimizer=optimizer, eta=2.0**-8, **changes)


@pytest.mark.parametrize("momentum", [(0, 0), (0.5, 1), (0.9, 3), (0.99, 7), (0.999, 10)])
def test_momenta_become_the_nearest(momentum: tuple[float, int]) -> None:
    asked, k = momentum
    assert decay("momentum", asked) == (k, 1 - 2.0**-k)


@pytest.mark.parametrize("momentum", [0.3, 0.83, 1 - 2.0**-17])
def test_momenta_too_far_from_any_are_refused(momentum: float) -> None:
    with pytest.raises(BadNetwork, match="momentum is .*the nearest is"):
        compile(network(momentum=momentum), MACHINE)


def test_the_image_says_what_they_became() -> None:
    image = compile(network(momentum=0.9, momentum2=0.999), MACHINE)
    assert image.momenta == (0.875, 1 - 2.0**-10)
    assert compile(network("sign", momentum=0.9, momentum2=0.3), MACHINE).momenta == (0.875,)
    assert compile(network("sgd", momentum=0.3), MACHINE).momenta == ()
    op = next(op for op in image.operations if op.kind == Kind.APPLY)
    assert (op.table, op.rates, op.neurons, op.output) == (Rule.ADAM, 3, 10, 1)


@pytest.mark.parametrize("rule", list(Rule))
@pytest.mark.parametrize("moments", [0, 1, 2])
def test_a_core_without_enough_moments_refuses(rule: Rule, moments: int) -> None:
    described, machine = network(rule.name.lower()), Machine(moments=moments, carry=True)
    if NEEDS[rule] <= moments:
        compile(described, machine)
        return
    with pytest.raises(DoesNotFit, match=f"moments={NEEDS[rule]}") as refused:
        compile(described, machine)
    assert (refused.value.need, refused.value.limit) == (NEEDS[rule], moments)


@pytest.mark.parametrize(
    ("optimizer", "machine", "remedy"),
    [
        ("sign", Machine(), "use optimizer sgd or a core with moments=1"),
        ("sign", Machine(carry=True), "sign_sum, momentum_sum, sgd or a core with moments=1"),
        ("adam", Machine(moments=1), "use optimizer sign, momentum, sgd or a core with moments=2"),
        ("sign_sum", Machine(moments=1), "sign, momentum, sgd or a core with carry"),
    ],
)
def test_the_remedy_names_the_optimizers_of_the_core(
    optimizer: str, machine: Machine, remedy: str
) -> None:
    with pytest.raises(DoesNotFit, match=remedy):
        compile(network(optimizer), machine)


def test_sgd_takes_a_cycle_more_where_a_lane_has_a_choice_and_other_rules_so_many_more() -> None:
    """By each of the two APPLYs."""
    cycles = {
        (rule, moments): compile(
            network(rule), Machine(rows=2, moments=moments)
        ).timetable.cycles_learning
        for rule, moments in (("sgd", 0), ("sgd", 2), ("sign", 1), ("adam", 2))
    }
    sgd = cycles["sgd", 0]
    assert cycles["sgd", 2] == sgd + 2
    assert cycles["sign", 1] == cycles["adam", 2] == sgd + 2 * (1 + DIRECTION)


def test_sgd_is_the_same_on_every_core() -> None:
    found = []
    for moments in (0, 2):
        with open("model", machine=Machine(rows=2, moments=moments)) as device:
            device.load(network("sgd"))
            device.partial_fit(X, Y)
            found.append(device.state_dict())
    assert same(*found)


@pytest.mark.parametrize("optimizer", ["momentum", "sign", "adam"])
def test_moments_belong_to_the_state(optimizer: str) -> None:
    with open("model", machine=MACHINE) as device:
        device.load(network(optimizer))
        device.partial_fit(X[:20], Y[:20])
        state = device.state_dict()
        assert state["projection.0.moment"].shape == (3, 3)
        assert np.count_nonzero(state["projection.0.moment"]) > 6
        device.partial_fit(X[20:], Y[20:])
        after = everything(device)
        device.load(network(optimizer))
        assert not device.state_dict()["projection.0.moment"].any()
        device.load_state_dict(state)
        device.partial_fit(X[20:], Y[20:])
        assert same(after, everything(device))
        device.load(network("sgd"))
        assert "projection.0.moment" not in device.state_dict()


def test_words_that_are_no_moments_are_refused() -> None:
    with open("model", machine=MACHINE) as device:
        device.load(network("sign"))
        state = device.state_dict()
        del state["projection.0.moment"]
        state["projection.0.moment.raw"] = np.full((3, 3), 1 << 18)
        with pytest.raises(BadInput, match=r"projection\.0\.moment"):
            device.load_state_dict(state)


@pytest.mark.parametrize("name", ["model", "rtl"])
def test_a_rate_changes_between_steps(name: str) -> None:
    machine = Machine(rows=2, moments=1)
    with open(name, machine=machine) as device:
        device.load(network("sign"))
        device.partial_fit(X[:20], Y[:20])
        assert device.set_eta(None, 2.0**-12) == 2.0**-12
        assert device.image.eta == (2.0**-12, 2.0**-12)
        before = device.state_dict()["projection.1.weight"]
        device.partial_fit(X[20:21], Y[20:21])
        change = device.state_dict()["projection.1.weight"] - before
        assert np.isin(np.abs(change), [0, 2.0**-12]).all()
        assert change.any()
        assert device.set_eta(1, 0.03) == 0.03125
        assert device.image.eta == (2.0**-12, 0.03125)
        held = device.backend.read(Region.PROGRAM, 0, 0, 8 * len(device.image.operations))
        written = next(words for region, *_, words in device.image.words if region == 0)
        assert np.array_equal(held, written)


@pytest.mark.parametrize(
    ("projection", "eta", "told"),
    [
        (7, 0.1, "projection 7 does not learn"),
        (0, 0.1, "projection 0 does not learn"),
        (1, 0.0, "positive"),
        (1, float("nan"), "positive"),
        (1, float("inf"), "positive"),
        (1, 1e9, "this core takes"),
        (None, "fast", "positive number"),
    ],
)
def test_rates_that_are_refused(projection: int | None, eta: Any, told: str) -> None:
    frozen = Projection(0, 1, learn=False), Projection(1, 2)
    with open("model", machine=MACHINE) as device:
        device.load(network(projections=frozen))
        image = device.image
        with pytest.raises(BadInput, match=told):
            device.set_eta(projection, eta)
        assert device.image is image
    with pytest.raises(Closed):
        device.set_eta(1, 0.1)


def test_random_networks_draw_optimizers_last() -> None:
    plain = [random_network(np.random.default_rng(seed)) for seed in range(30)]
    assert all(drawn.optimizer == "sgd" for drawn in plain)
    for moments, carry in ((1, False), (2, False), (0, True), (2, True)):
        drawn = [
            random_network(np.random.default_rng(seed), moments=moments, carry=carry)
            for seed in range(40)
        ][: len(plain)]
        rules = {rule.name.lower() for rule in Rule if knows(moments, carry, rule)}
        assert {each.optimizer for each in drawn} == rules
        for each, before in zip(drawn, plain, strict=True):
            assert each.populations == before.populations
            compile(each, replace(Machine(rows=3, moments=moments, carry=carry), **ROOM))


SUMS = [rule.name.lower() for rule in sorted(CARRYING)]
CARRIER = Machine(rows=2, carry=True)


@pytest.mark.parametrize("optimizer", SUMS)
def test_a_core_that_carries_no_sums_refuses(optimizer: str) -> None:
    with pytest.raises(DoesNotFit, match=f"carried on .{optimizer}.*a core with carry") as refused:
        compile(network(optimizer), Machine(rows=2, moments=2))
    assert (refused.value.need, refused.value.limit) == (2, 0)


@pytest.mark.parametrize("optimizer", SUMS)
def test_sums_are_carried_on_and_take_no_more_cycles(optimizer: str) -> None:
    image = compile(network(optimizer, momentum=0.9), CARRIER)
    assert image.momenta == (0.875,)
    applies = [op for op in image.operations if op.kind == Kind.APPLY]
    assert [(op.table, op.rates) for op in applies] == 2 * [(Rule[optimizer.upper()], 3)]
    assert all(op.keep for op in image.operations if op.kind == Kind.BACK and op.g)
    plain = compile(network("sgd"), CARRIER).timetable
    assert image.timetable.cycles_learning == plain.cycles_learning


def test_sums_that_could_become_too_large_are_refused() -> None:
    machine = replace(CARRIER, streams=4)
    most = machine.formats.max_products
    compile(network("momentum_sum", momentum=1 - 2.0**-10), machine)
    with pytest.raises(DoesNotFit, match="momentum of at most 0.999023") as refused:
        compile(network("momentum_sum", momentum=1 - 2.0**-11), machine)
    assert (refused.value.need, refused.value.limit) == (4 << 11, most)
    with pytest.raises(DoesNotFit, match="momentum of at most 0.96875, or a smaller apply_every"):
        compile(network("sign_sum", momentum=0.984375, apply_every=50), machine)


@pytest.mark.parametrize("optimizer", SUMS)
def test_sums_belong_to_the_state(optimizer: str, tmp_path: Path) -> None:
    """Where a batch has just ended, too: saved, moved to another core, restored."""
    learner = network(optimizer, momentum=0.875, apply_every=5)
    with open("model", machine=CARRIER) as device:
        device.load(learner)
        device.partial_fit(X[:20], Y[:20])
        state = device.state_dict()
        assert state["register.learned"] == 0
        assert np.count_nonzero(state["projection.0.gradient"]) > 6
        device.save(tmp_path / "state.safetensors")
        device.predict(X[:7])
        device.partial_fit(X[20:], Y[20:])
        after = device.state_dict()
        device.load(learner)
        assert not device.state_dict()["projection.0.gradient"].any()
        device.restore(tmp_path / "state.safetensors")
        device.partial_fit(X[20:], Y[20:])
        assert same(after, device.state_dict())
    with open("model:numpy", machine=replace(CARRIER, rows=3, filters=2)) as other:
        other.load(learner)
        other.load_state_dict(state)
        other.partial_fit(X[20:], Y[20:])
        assert same(after, other.state_dict())


def test_batches_of_a_sum_can_only_become_shorter() -> None:
    with open("model", machine=CARRIER) as device:
        device.load(network("sign_sum", apply_every=4, momentum=0.5))
        device.partial_fit(X[:20], Y[:20])
        device.set(momentum=1 - 2.0**-10)
        device.set(apply_every=2)
        with pytest.raises(BadInput, match="apply_every is 2; with sign_sum"):
            device.set(apply_every=3)
        assert device.image.network.apply_every == 2
