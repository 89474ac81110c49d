# SPDX-License-Identifier: Apache-2.0
"""`python -m antevolt.host.model_speed`: seconds of a learning step, in numpy and compiled.

Both in one run, on one processor; each is the fastest of some measurements, since other programs
can only make them slower.
"""

import time

import numpy as np

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile
from antevolt.host.loading import load
from antevolt.host.random_samples import random_batch
from antevolt.host.samples import Batch, Sizes
from antevolt.sim.golden.compiled import CompiledCore
from antevolt.sim.golden.core import GoldenCore

__all__ = ["report", "seconds"]

SHAPES = ((1, 1), (16, 1), (40, 1), (20, 2))  # streams, contexts
LEARNS = Flag.VALID | Flag.TARGET_VALID | Flag.LEARN
SPENT = 0.3  # seconds, about, of one measurement
MEASUREMENTS = 5


def network() -> Network:
    """Six hidden layers of 53, 14900 weights; every step changes them."""
    hidden = Population(53, "tanh", tau_m=4.0, tau_r=2.0)
    return Network(1, (*[hidden] * 6, Population(10, "linear")), eta=2.0**-8)


def seconds(core: GoldenCore) -> float:
    """Of one learning step of `network` on this core."""
    net, machine = network(), core.machine
    load(core, compile(net, machine), net.random_parameters(1))
    sizes = Sizes(machine.total_streams, net.inputs, net.outputs, machine.formats)
    _timed(core, random_batch(sizes, 2, 0))  # the program is made ready
    once = _timed(core, random_batch(sizes, 3, 0)) / 3
    batch = random_batch(sizes, max(1, round(SPENT / once)), 0)
    return min(_timed(core, batch) for _ in range(MEASUREMENTS)) / batch.steps


def _timed(core: GoldenCore, batch: Batch) -> float:
    flags = np.full_like(batch.flags, int(LEARNS))
    start = time.perf_counter()
    core.steps(flags, batch.x, batch.y)
    return time.perf_counter() - start


def report() -> str:
    """Times and their ratios as a table; raises BuildFailed where nothing can be compiled."""
    lines = [
        f"a learning step of {'-'.join(map(str, network().sizes))}",
        f"{'streams':>7} {'numpy ms':>9} {'compiled ms':>11} {'ratio':>6}",
    ]
    for streams, contexts in SHAPES:
        machine = Machine(
            rows=3, streams=streams, contexts=contexts, w_depth=4096, r_depth=1024, state_depth=1024
        )
        numpy, compiled = (1e3 * seconds(make(machine)) for make in (GoldenCore, CompiledCore))
        shape = f"{streams}" if contexts == 1 else f"{streams}x{contexts}"
        lines.append(f"{shape:>7} {numpy:>9.2f} {compiled:>11.3f} {numpy / compiled:>6.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
