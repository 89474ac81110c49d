# SPDX-License-Identifier: Apache-2.0
"""How the cycles of a step grow with layers, width, rows and streams: a picture."""

from pathlib import Path

from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.network import Network, Population
from antevolt.host.compile import compile

__all__ = ["PANELS", "cycles", "picture"]

LAYERS, WIDTH, ROWS, STREAMS = 4, 48, 4, 8
PANELS: dict[str, tuple[int, ...]] = {
    "layers": (1, 2, 3, 4, 6, 8),
    "width": (8, 16, 32, 48, 64, 96, 128),
    "rows": (1, 2, 3, 4, 6, 8, 12),
    "streams": (1, 2, 4, 8, 16),
}
"""What is varied, the others at their values above."""


def cycles(name: str, value: int) -> tuple[int, int]:
    """Of a step that applies changes, and of one that does not."""
    shape = {"layers": LAYERS, "width": WIDTH, "rows": ROWS, "streams": STREAMS, name: value}
    hidden = Population(shape["width"], "tanh", tau_m=4.0, tau_r=2.0)
    network = Network(1, (*[hidden] * shape["layers"], Population(10, "linear")))
    machine = Machine(
        rows=shape["rows"], streams=shape["streams"], w_depth=16384, state_depth=2048,
        r_depth=2048, q_depth=512, program_depth=512,
    )  # fmt: skip
    table = compile(network, machine).timetable
    return table.cycles_learning, table.cycles_plain


def picture(path: Path) -> None:
    """Draw all panels into a file. Needs matplotlib."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    for axes, (name, values) in zip(figure.subplots(2, 2).flat, PANELS.items(), strict=True):
        found = [cycles(name, value) for value in values]
        axes.plot(values, [a for a, _ in found], "o-", label="step that applies changes")
        axes.plot(values, [b for _, b in found], "s--", label="step that does not")
        axes.set(xlabel=name, ylabel="cycles of a step", ylim=(0, None))
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle(
        f"{LAYERS} hidden layers of {WIDTH}, {ROWS} rows, {STREAMS} streams; one varied at a time"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
