# SPDX-License-Identifier: Apache-2.0
"""The netlist equals the model in every bit for networks with every mechanism."""

from dataclasses import replace

import numpy as np
import pytest
from graphs import GRAPHS

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.host.campaign import random_cases
from antevolt.host.comparison import Case
from antevolt.host.random_samples import coarse, random_network
from antevolt.host.verify import verify

MACHINE = Machine(
    rows=3,
    streams=1,
    contexts=2,
    w_depth=512,
    r_depth=512,
    state_depth=512,
    q_depth=64,
    io_depth=256,
    program_depth=1024,
    tables=4,
)
CASES = [(n, s) for n in GRAPHS for s in ("sequential", "parallel") if (n, s[0]) != ("logits", "p")]


@pytest.mark.xdist_group("graphs")  # which share a simulator
@pytest.mark.parametrize(("name", "schedule"), CASES)
def test_the_netlist_equals_the_model(name: str, schedule: str) -> None:
    network = GRAPHS[name].with_(schedule=schedule, eta=2.0**-5)
    report = verify(Case(network, MACHINE, steps=40, seed=3, checkpoint_every=20))
    assert report.difference is None, report.difference
    assert report.differing_bits == 0
    assert report.cycles == report.compiled > 0
    assert report.cycles_differ_at is None
    assert report.changed > 0.5


def test_a_wrong_gradient_of_one_group_is_seen() -> None:
    """The comparison looks at what traces change."""
    from test_verify import fault

    case = Case(GRAPHS["traces"], MACHINE, steps=30, seed=3, device="model")
    planted = replace(fault(11, "projection.1.bias", (0,)), region="GRADIENTS")
    assert not verify(replace(case, fault=planted)).passed


def test_random_networks_have_everything_in_them() -> None:
    networks = [random_network(np.random.default_rng(seed)) for seed in range(60)]
    projections = [p for network in networks for p in network.projections]
    populations = [p for network in networks for p in network.populations]
    assert {p.backward for p in projections} == {"transpose", "fixed", "learned"}
    assert any(p.recurrent for p in projections)
    assert any(p.target > p.source + 1 for p in projections)
    assert {p.rule for p in populations} == {"gle", "instantaneous", "trace"}
    assert {p.phi for p in populations} >= {"linear", "tanh", "sigmoid", "softplus", "relu"}
    assert {n.cost for n in networks} == {"squared_error", "cross_entropy"}
    assert any(n.tau_z for n in networks)


@pytest.mark.parametrize("word", [8, 10, 12])
def test_random_networks_of_short_words_prove_something(word: int) -> None:
    formats = Formats(word)
    machine = Machine(rows=4, streams=2, formats=formats, phi_log2=formats.phi_log2)
    (case,) = random_cases(1, machine, steps=600, device="model:numpy")
    report = verify(case)
    assert report.passed, report.vacuous
    assert report.changed > 0.9


def test_networks_of_long_words_are_taken_as_they_are_drawn() -> None:
    network = random_network(np.random.default_rng(1))
    assert coarse(network, Formats(14)) == coarse(network, Formats(18)) == network
    short = coarse(network, Formats(8))
    assert short.beta == 8 * network.beta
    assert [8 * p.gamma for p in short.populations] == [p.gamma for p in network.populations]
