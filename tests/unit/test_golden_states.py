# SPDX-License-Identifier: Apache-2.0
"""All states of every stream, at every step, on cores of different shape; learning on."""

import numpy as np
import pytest

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile
from antevolt.host.loading import load
from antevolt.sim.golden.core import GoldenCore

SHAPES = [((1, 1, 1), (3, 1, 1), (4, 1, 1)), ((1, 8, 1), (3, 8, 1), (2, 4, 2))]
STEPS = 25


def network(**changes):
    populations = (
        Population(5, "tanh", tau_m=(4.0, 2.0, 1.0, 3.0, 5.0), tau_r=1.5, gamma=0.25),
        Population(4, "softplus", tau_m=1.0, tau_r=3.0, gamma=-0.5),
        Population(3, "linear", tau_m=2.0, tau_r=2.0),
    )
    return Network(2, populations, eta=2.0**-5, beta=0.75, seed=9, **changes)


def trajectory(net, machine, flags, x, y):
    """After every step: u, v, e, r' and q [streams, neurons], r with the inputs', and outputs."""
    image, core = compile(net, machine), GoldenCore(machine)
    load(core, image, net.random_parameters(1, gain=4.0))
    layout, memories = image.layout, core.memories
    for step in range(STEPS):
        out = core.step(flags[step], x[step], y[step])
        found = [out]
        for name in ("u", "v", "e", "slope", "q"):
            by_context = [
                np.concatenate(
                    [
                        getattr(memories, name)[first : first + n]
                        for first, n in zip(neurons, net.sizes[1:], strict=True)
                    ]
                )
                for neurons in layout.neurons
            ]
            found.append(np.concatenate(by_context, axis=1).T)
        rates = [
            np.concatenate(
                [
                    memories.rates[2 * rates.pairs[t] : 2 * rates.pairs[t] + n]
                    for rates, n in zip(layout.rates, net.sizes, strict=True)
                ]
            )
            for t in range(machine.contexts)
        ]
        found.append(np.concatenate(rates, axis=1).T)
        yield [state.copy() for state in found]


@pytest.mark.parametrize("schedule", ["sequential", "parallel"])
@pytest.mark.parametrize("word", [18, 16, 12, 8])
@pytest.mark.parametrize("apply_every", [1, 3])
@pytest.mark.parametrize("shapes", SHAPES)
def test_states_depend_on_no_shape(schedule, word, apply_every, shapes):
    net, rng = network(schedule=schedule, apply_every=apply_every), np.random.default_rng(word)
    total, f = shapes[0][1] * shapes[0][2], Formats(word)
    always = Flag.VALID | Flag.TARGET_VALID | Flag.LEARN
    flags = always ^ rng.choice([0, 0, 0, 0, *Flag], (STEPS, total))  # at most one is otherwise
    x = f.r.to_raw(rng.normal(0, 3, (STEPS, total, 2)))
    y = f.r.to_raw(rng.normal(0, 3, (STEPS, total, 3)))
    runs = [
        trajectory(
            net,
            Machine(
                *shape,
                formats=f,
                phi_log2=f.phi_log2,
                w_depth=64,
                r_depth=64,
                state_depth=64,
                io_depth=16,
            ),
            flags,
            x,
            y,
        )
        for shape in shapes
    ]
    moved = False
    for first, *others in zip(*runs, strict=True):
        moved |= all(state.any() for state in first)
        for other in others:
            for mine, theirs in zip(first, other, strict=True):
                assert (mine == theirs).all()
    assert moved
