# SPDX-License-Identifier: Apache-2.0
"""One operand a cycle through a unit whose ports have fixed latencies."""

from antevolt.sim.bench.timeline import Timeline

__all__ = ["flow"]


async def flow(cycles, inputs, outputs):
    """inputs: {port: (cycle of the first, values)}; outputs likewise, with the values expected,
    unsigned."""
    play = Timeline(cycles)
    for port, (first, values) in inputs.items():
        for n, value in enumerate(values):
            play.set(first + n, port, int(value))
    for port, (first, values) in outputs.items():
        for n in range(len(values)):
            play.look(first + n, port)
    await play.play()
    for port, (first, values) in outputs.items():
        seen = [play.seen[port, first + n] for n in range(len(values))]
        mask = (1 << len(getattr(cycles.dut, port))) - 1
        expected = [int(value) & mask for value in values]
        wrong = [n for n, (a, b) in enumerate(zip(seen, expected, strict=True)) if a != b]
        assert not wrong, (port, wrong[:5], [(seen[n], expected[n]) for n in wrong[:5]])
