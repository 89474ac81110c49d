# SPDX-License-Identifier: Apache-2.0
"""Time constants learn on the core as in the float reference, and belong to its state."""

from dataclasses import replace

import numpy as np
import pytest

from antevolt.hdl.spec.errors import BadInput, BadNetwork, DoesNotFit
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.hdl.spec.time_constants import FRAC, HIGHEST, ONE, moved, ratio
from antevolt.host.comparison import Case
from antevolt.host.compile import compile
from antevolt.host.device import open
from antevolt.host.quantize import tau_rate
from antevolt.host.verify import verify
from antevolt.sim.golden.reference import FloatNetwork

DEPTHS = {"w_depth": 64, "r_depth": 64, "state_depth": 64, "q_depth": 32, "io_depth": 16}
MACHINE = Machine(rows=2, streams=2, time_constants=True, **DEPTHS)  # type: ignore[arg-type]
STEPS = 150


def network(**changes: object) -> Network:
    first = Population(
        5, "tanh", (2.0, 3.0, 4.0, 5.0, 6.0), (1.0, 1.5, 2.0, 2.5, 1.0), 0.1,
        eta_tau_m=0.5, eta_tau_r=0.25,
    )  # fmt: skip
    second = Population(4, "softplus", 3.0, rule="instantaneous", eta_tau_m=0.25)
    output = Population(2, "linear", rule="instantaneous")
    return Network(2, (first, second, output), **{"eta": 2.0**-8, **changes})  # type: ignore[arg-type]


def samples(streams: int):
    rng = np.random.default_rng(1)
    x = np.cumsum(rng.normal(0, 0.1, (STEPS, streams, 2)), axis=0)
    return x, rng.uniform(-0.5, 0.5, (STEPS, streams, 2))


@pytest.mark.parametrize("apply_every", [1, 4])
def test_like_the_float_reference(apply_every: int) -> None:
    net = network(apply_every=apply_every)
    x, y = samples(2)
    reference = FloatNetwork(net, net.random_parameters(1), streams=2)
    reference.run(x, y)
    with open("model", machine=MACHINE) as device:
        device.load(net, net.random_parameters(1))
        device.partial_fit(x, y)
        state = device.state_dict()
    for l, (tau_m, tau_r) in enumerate(zip(reference.tau_m[:2], reference.tau_r[:2], strict=True)):
        before = np.array(net.populations[l].tau_m), np.array(net.populations[l].tau_r)
        for name, wanted, start in (("tau_m", tau_m, before[0]), ("tau_r", tau_r, before[1])):
            got = state[f"population.{l + 1}.{name}"]
            change = np.abs(wanted - start).max()
            assert change > 1e-3 or (l, name) == (1, "tau_r")
            assert np.abs(got - wanted).max() < 1e-3 + 0.02 * change


@pytest.mark.xdist_group("times")
@pytest.mark.parametrize("apply_every", [1, 3])
def test_the_netlist_equals_the_model(apply_every: int) -> None:
    net = network(apply_every=apply_every, eta=2.0**-6)
    report = verify(Case(net, MACHINE, steps=60, seed=2, checkpoint_every=20))
    assert report.difference is None, report.difference
    assert report.differing_bits == 0
    assert report.cycles == report.compiled > 0


def test_a_state_goes_on_where_it_was() -> None:
    net, (x, y) = network(), samples(2)
    with open("model", machine=MACHINE) as device:
        device.load(net)
        device.partial_fit(x[:50], y[:50])
        state = device.state_dict()
        device.partial_fit(x[50:], y[50:])
        wanted = device.state_dict()
        device.load(net)
        device.load_state_dict(state)
        device.partial_fit(x[50:], y[50:])
        found = device.state_dict()
        for name, value in wanted.items():
            assert np.array_equal(found[name], value), name
        bad = {**state, "population.1.tau_m": state["population.1.tau_m"] * 0 + 0.5}
        del bad["population.1.tau_m.raw"]
        with pytest.raises(BadInput, match=r"population.1.tau_m is in steps, 1 .. 2048"):
            device.load_state_dict(bad)


def test_predictions_leave_time_constants_alone() -> None:
    net, (x, y) = network(), samples(2)
    with open("model", machine=MACHINE) as device:
        device.load(net)
        device.partial_fit(x[:20], y[:20])
        before = device.state_dict()
        device.predict(x[20:40])
        after = device.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_ratios_are_cut() -> None:
    f = Formats()
    rng = np.random.default_rng(0)
    for _ in range(2000):
        over, under = (int(2.0 ** rng.uniform(FRAC, 35)) for _ in range(2))
        mantissa, exponent = ratio(over, under, f)
        assert 1 << 16 <= mantissa < 1 << 17
        value = mantissa * 2.0 ** (exponent - 16)
        assert 0 <= over / under - value < value * 2.0**-16
    assert ratio(ONE, ONE, f) == (1 << 16, 0)


def test_time_constants_stay_within_their_range() -> None:
    f = Formats()
    assert moved(ONE, 1 << 20, ONE, (4, 0), -1, f) == ONE
    assert moved(HIGHEST, 1 << 30, ONE, (4, 0), 1, f) == HIGHEST
    assert moved(5 * ONE, 1 << 20, ONE, (0, 0), 1, f) == 5 * ONE


def test_what_cannot_be_is_refused() -> None:
    plain = Machine(rows=2, **DEPTHS)  # type: ignore[arg-type]
    with pytest.raises(DoesNotFit, match="use a core with time_constants"):
        compile(network(), plain)
    with pytest.raises(BadNetwork, match="sequential schedule only"):
        compile(network(schedule="parallel"), MACHINE)
    with pytest.raises(BadNetwork, match="cannot learn under rule trace"):
        Population(2, rule="trace", eta_tau_m=0.1)
    with pytest.raises(BadNetwork, match="below 2048"):
        compile(Network(1, (Population(1, tau_m=3000.0, tau_r=1500.0, eta_tau_m=0.1),)), MACHINE)
    with pytest.raises(BadNetwork, match="0 or positive"):
        compile(Network(1, (replace(network().populations[1], eta_tau_m=-1.0),)), MACHINE)
    rate, became = tau_rate(0.1, 0.5, Formats())
    assert became == pytest.approx(0.1, rel=0.13)
    assert rate[0] in range(4, 8)
