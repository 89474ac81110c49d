# SPDX-License-Identifier: Apache-2.0
"""Gradient sums that an APPLY carries on: against big integers, their bound, against float64."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import SCALE, SLOWEST, Rule
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.device import open
from antevolt.sim.golden.carried import carried, steps
from antevolt.sim.golden.reference import FloatNetwork


@pytest.mark.parametrize("word", [8, 12, 16, 18])
@pytest.mark.parametrize("k", range(SLOWEST + 1))
def test_what_is_left_of_a_sum(word: int, k: int) -> None:
    rng, wide = np.random.default_rng(k), Formats(word).g.width - 1
    sums = rng.integers(-(1 << wide), 1 << wide, 400) >> rng.integers(0, wide, 400)
    sums[:4] = -(1 << wide), (1 << wide) - 1, 0, -1
    sums[4:36] = np.arange(-16, 16) << max(k - 1, 0)  # ties
    found = carried(sums.astype(float), k)
    wanted = [g - floor(Fraction(g, 1 << k) + Fraction(1, 2)) for g in sums.tolist()]
    assert found.tolist() == wanted
    assert (np.abs(found) <= np.abs(sums)).all()


def test_steps() -> None:
    sums = np.array([5.0, -7.0, 0.0, 2.0**35 - 1])
    assert steps(sums, Rule.MOMENTUM_SUM).tolist() == sums.tolist()
    assert steps(sums, Rule.SIGN_SUM).tolist() == [2**SCALE, -(2**SCALE), 0, 2**SCALE]


@pytest.mark.parametrize("k", [0, 1, 5, 10])
def test_a_sum_of_the_largest_products_stays_inside_its_word(k: int) -> None:
    """As many as the compiler lets through, all of one sign, until nothing changes any more."""
    f = Formats()
    batch = f.max_products >> k
    largest = batch << 2 * (f.word - 1) - f.g_drop
    for sign in (1, -1):
        total, before = np.array([0.0]), None
        while before != total[0]:
            before = total[0]
            total = carried(total, k) + sign * largest
            assert f.g.raw_min <= total[0] <= f.g.raw_max
        assert abs(total[0]) > 0.99 * (largest << k)


@pytest.mark.parametrize("optimizer", ["momentum_sum", "sign_sum"])
def test_learning_follows_float(optimizer: str) -> None:
    """A small network learns a map: the same curve as in float64, and it does learn."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (600, 4, 3))
    y = np.tanh(x @ rng.normal(0, 1, (3, 2)))
    network = Network(
        3, (Population(6, "tanh"), Population(2, "linear")), apply_every=4,
        eta=2.0**-9 if optimizer == "momentum_sum" else 2.0**-8,
        optimizer=optimizer, momentum=0.875,  # type: ignore[arg-type]
    )  # fmt: skip
    parameters = network.random_parameters(1)
    real = FloatNetwork(network, parameters, streams=4)
    exact = real.run(x, y).out
    with open("model", machine=Machine(rows=2, streams=4, carry=True)) as device:
        device.load(network, parameters)
        found = np.array(list(device.stream(x, y, learn=True)))
    losses = [np.square(out - y).mean(axis=(1, 2)).reshape(6, -1).mean(1) for out in (exact, found)]
    assert losses[0][-1] < 0.2 * losses[0][0]
    assert np.max(np.abs(losses[0] - losses[1])) < 0.02 * losses[0][0]
