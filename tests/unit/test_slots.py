# SPDX-License-Identifier: Apache-2.0
"""The array is busy with useful products nearly all the time."""

import pytest

from antevolt.hdl.spec.network import Network, Population
from antevolt.sim.docs.slots import NETWORK, core, used


def test_useful_products_are_counted():
    """A network of one layer: 2 products of 3 weights, 2 of each bias."""
    network = Network(3, (Population(4, "linear"),))
    cycles, share = used(network, core(2, 2, 1, 1))
    assert share == pytest.approx(4 * (3 * 2 + 2) * 2 / (2 * 2 * 2 * cycles))


def test_two_contexts_of_eighteen_columns():
    """The design asks for 90 %; what is there beyond must not be lost again."""
    assert used(NETWORK, core(3, 18, 2, 2))[1] > 0.924
