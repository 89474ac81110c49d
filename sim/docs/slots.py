# SPDX-License-Identifier: Apache-2.0
"""How much of the array's time is useful work, counted by the compiler."""

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile

__all__ = ["NETWORK", "core", "slots", "used"]

NETWORK = Network(
    1,
    (*(Population(53, "tanh", 2.0) for _ in range(6)), Population(10, "linear")),
    apply_every=72,
)
"""The network of the published figures on MNIST-1D, a change of the weights per sequence."""
PRODUCTS = 3  # per synapse, stream and step: w r, w e, e r
CORES = ((3, 8, 1, 1), (3, 16, 1, 2), (3, 18, 2, 2), (6, 8, 2, 2), (9, 7, 2, 2), (5, 13, 2, 2))


def core(rows: int, streams: int, contexts: int, multipliers: int) -> Machine:
    """With room for `NETWORK`."""
    return Machine(
        rows=rows, streams=streams, contexts=contexts, multipliers=multipliers,
        w_depth=8192, r_depth=1024, state_depth=1024, io_depth=256, program_depth=512,
    )  # fmt: skip


def used(network: Network, machine: Machine) -> tuple[float, float]:
    """Cycles of a step, APPLY included, and the share of the array's products that are useful.

    Useful is what belongs to a real neuron, synapse and stream: all three products of every weight,
    of two per element and cycle. The first layer needs no w e, which is not counted.
    """
    table, every = compile(network, machine).timetable, network.apply_every
    cycles = table.cycles_plain + (table.cycles_learning - table.cycles_plain) / every
    sizes = network.sizes
    needed = 0
    for projection in network.projections:
        inputs, products = sizes[projection.source], PRODUCTS - (projection.source == 0)
        needed += sizes[projection.target] * (inputs * products + projection.bias * 2)
    useful = needed * machine.total_streams
    return cycles, useful / (2 * machine.rows * machine.streams * cycles)


def slots() -> str:
    """A table of cores."""
    lines = ["| rows x columns | contexts | multipliers per filter | cycles of a step | used |"]
    lines.append("|---|---|---|---|---|")
    for rows, streams, contexts, multipliers in CORES:
        cycles, share = used(NETWORK, core(rows, streams, contexts, multipliers))
        shape = f"{rows} x {streams} | {contexts} | {multipliers}"
        lines.append(f"| {shape} | {cycles:,.0f} | {share:.1%} |")
    return "\n".join(lines)
