# SPDX-License-Identifier: Apache-2.0
"""The fixed model learns like the float reference, whatever the graph, the rule and the cost."""

import numpy as np
import pytest
from graphs import GRAPHS

from antevolt.hdl.spec.errors import BadNetwork, DoesNotFit
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population, Projection
from antevolt.hdl.spec.program import Bias, Kind
from antevolt.host.compile import compile
from antevolt.host.device import open as open_device
from antevolt.sim.golden.reference import FloatNetwork

DEPTHS = {"w_depth": 512, "r_depth": 512, "state_depth": 512, "q_depth": 64, "io_depth": 128}
STEPS = 120
CASES = [(n, s) for n in GRAPHS for s in ("sequential", "parallel") if (n, s[0]) != ("logits", "p")]


def machine(rows: int = 3, streams: int = 1, contexts: int = 1, **changes: object) -> Machine:
    return Machine(
        rows,
        streams,
        contexts,
        program_depth=512,
        tables=4,
        **{**DEPTHS, **changes},  # type: ignore[arg-type]
    )


def samples(network: Network, streams: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.normal(0, 0.1, (STEPS, streams, network.inputs)), axis=0)
    if network.cost == "cross_entropy":
        classes = rng.integers(0, network.outputs, (STEPS // 10, streams))
        return x, np.eye(network.outputs)[np.repeat(classes, 10, axis=0)]
    return x, rng.uniform(-0.5, 0.5, (STEPS, streams, network.outputs))


@pytest.mark.parametrize(("streams", "contexts"), [(1, 1), (2, 2)])
@pytest.mark.parametrize(("name", "schedule"), CASES)
def test_like_the_float_reference(name, schedule, streams, contexts):
    network = GRAPHS[name].with_(schedule=schedule, eta=2.0**-9, apply_every=4)
    x, y = samples(network, streams * contexts)
    first = np.zeros(x.shape[:2], bool)
    first[STEPS // 2] = True
    before = network.random_parameters(1)
    reference = FloatNetwork(network, before, streams=streams * contexts)
    wanted = reference.run(x, y, first=first).out
    with open_device("model", machine=machine(3, streams, contexts)) as device:
        device.load(network, before)
        out = np.stack(list(device.stream(x, y, learn=True, first=first)))
        state = device.state_dict()
    assert np.abs(out.reshape(wanted.shape) - wanted).max() < 2e-3
    for key, value in reference.parameters.items():
        moved = np.abs(value - before[key]).max()
        if key.endswith("backward") and network.projections[int(key[0])].backward == "fixed":
            assert moved == 0
        else:
            assert moved > 1e-4
        assert np.abs(state[f"projection.{key}"] - value).max() < 1e-3 + 0.02 * moved


def test_leaky_logits_wait_for_the_sequential_schedule():
    with pytest.raises(BadNetwork, match="leaky logits .tau_z. need the sequential schedule"):
        compile(GRAPHS["logits"].with_(schedule="parallel"), machine())


def test_a_core_may_leave_features_out():
    for name in ("traces", "loops"):
        with pytest.raises(DoesNotFit, match="use a core with traces"):
            compile(GRAPHS[name], machine(traces=False))
    with pytest.raises(DoesNotFit, match="use a core with softmax"):
        compile(GRAPHS["softmax"], machine(softmax=False))
    compile(GRAPHS["backward"], machine(traces=False, softmax=False))


def test_several_projections_share_their_sums_group_by_group():
    operations = compile(GRAPHS["skip"], machine()).operations
    into_2 = [op for op in operations if op.kind == Kind.FORWARD][1:5]
    assert [(op.head, op.tail) for op in into_2] == [(1, 0), (0, 1), (1, 0), (0, 1)]
    membranes = [op for op in operations if op.kind == Kind.MEMBRANE]
    assert [(op.n, op.odd, op.head) for op in membranes[1:3]] == [(3, 0, 1), (1, 1, 0)]
    assert membranes[1].bias == Bias.NONE != membranes[2].bias


def test_neurons_of_one_time_constant_are_swept_together():
    operations = compile(GRAPHS["traces"], machine()).operations
    sweeps = [op for op in operations if op.kind == Kind.BACK and op.g and not op.q]
    assert [(op.groups, op.skip, op.rows, op.keep) for op in sweeps] == [
        (1, 0, 3, 0),
        (1, 0, 2, 0),
        (1, 2, 1, 1),
        (1, 0, 1, 0),
    ]
    assert len({op.rates for op in sweeps}) == 3


def test_networks_that_are_none():
    two = (Population(2), Population(2))
    for projections, text in (
        ((Projection(0, 1), Projection(0, 3)), "projection 1 goes from 0 to 3"),
        ((Projection(0, 1), Projection(2, 1)), "projection 1 starts at the output"),
        ((Projection(0, 1), Projection(1, 2), Projection(1, 2)), "there is one from 1 to 2 yet"),
        ((Projection(0, 1), Projection(1, 2), Projection(0, 2)), "has a bias already"),
        ((Projection(0, 1), Projection(1, 1)), "has a bias already"),
        ((Projection(0, 1),), "population 2 has no projection from a lower one"),
    ):
        with pytest.raises(BadNetwork, match=text):
            Network(1, two, projections)
