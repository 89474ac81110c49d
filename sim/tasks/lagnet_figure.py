# SPDX-License-Identifier: Apache-2.0
"""The picture of `antevolt demo`: what came out before and after, and the weights on the way."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MultipleLocator

from antevolt.sim.tasks.lagnet import DT, LEARN_FROM, TEACHER, Run, signals
from antevolt.sim.tasks.picture import write_png

__all__ = ["draw"]

# Of the palette of Okabe and Ito: told apart by colour-blind eyes too.
TARGET, GLE, OTHER = "#999999", "#0072b2", "#d55e00"
WEIGHTS = ("#009e73", "#cc79a7")
SPAN = 2000  # steps shown of the output
LEAD = 800  # steps shown of the weights before learning
LIMITS = (-2.0, 3.0)  # of the weights shown


def draw(path: Path, device: str, gle: Sequence[Run], instantaneous: Sequence[Run]) -> None:
    """Write a PNG to `path`; the runs of one rule differ in their start. Raises OSError.

    gle, instantaneous  one run per seed, on `device`; outputs are shown of the first
    """
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([["b", "a"], ["g", "i"]])
    steps = len(gle[0].outputs)
    for name, end, title in (
        ("b", min(LEARN_FROM, steps), "output before learning"),
        ("a", steps, "output after learning"),
    ):
        _outputs(panels[name], end, gle[0], instantaneous[0], title)
    panels["a"].sharey(panels["b"])
    for name, runs, title in (
        ("g", gle, "GLE: prospective errors"),
        ("i", instantaneous, "instantaneous errors, best of 3 rates"),
    ):
        _weights(panels[name], runs, title)
    figure.legend(
        handles=[
            Line2D([], [], color=TARGET, linewidth=4, alpha=0.7, label="teacher (target)"),
            Line2D([], [], color=GLE, label="student, GLE"),
            Line2D([], [], color=OTHER, linestyle="--", label="student, instantaneous"),
            Line2D([], [], color=WEIGHTS[0], label="weight of the fast neuron"),
            Line2D([], [], color=WEIGHTS[1], label="weight of the slow neuron"),
            Line2D([], [], color="black", linestyle=":", label="weights of the teacher"),
        ],
        loc="outside lower center",
        ncols=3,
        frameon=False,
    )
    where = "the RTL core" if device == "rtl" else f"the device {device}"
    figure.suptitle(f"LagNet: a student finds its teacher's weights, learning in {where}")
    write_png(figure, path)


def _outputs(panel: Axes, end: int, gle: Run, other: Run, title: str) -> None:
    shown = slice(max(0, end - SPAN), end)
    time = np.arange(shown.start, shown.stop) * DT
    target = signals(len(gle.outputs))[1][shown, 0]
    panel.plot(time, target, color=TARGET, linewidth=4, alpha=0.7)
    panel.plot(time, gle.outputs[shown], color=GLE, linewidth=1.4)
    panel.plot(time, other.outputs[shown], color=OTHER, linewidth=1.4, linestyle="--")
    panel.set(title=f"{title}, seed {gle.seed}", ylabel="output r")
    if end <= LEARN_FROM:
        panel.text(0.02, 0.03, "both students start alike", transform=panel.transAxes, fontsize=9)
    _time(panel, 5)


def _weights(panel: Axes, runs: Sequence[Run], title: str) -> None:
    for run in runs:
        shown = run.looked >= LEARN_FROM - LEAD
        for n, colour in enumerate(WEIGHTS):
            panel.plot(run.looked[shown] * DT, run.weights[shown, n], color=colour, linewidth=1)
    for goal in TEACHER["0.weight"][:, 0]:
        panel.axhline(goal, color="black", linestyle=":", linewidth=1.2)
    panel.axvline(LEARN_FROM * DT, color=TARGET, linewidth=0.8)
    panel.text(LEARN_FROM * DT, LIMITS[0] + 0.1, " learning starts", fontsize=9)
    count = f"{len(runs)} starts" if len(runs) > 1 else "1 start"
    panel.text(0.98, 0.93, count, ha="right", fontsize=9, transform=panel.transAxes)
    panel.set(title=title, ylabel="learned weights", ylim=LIMITS)
    _time(panel, 20)


def _time(panel: Axes, spacing: float) -> None:
    panel.set_xlabel(r"time / $\tau_m$")
    panel.margins(x=0)
    panel.xaxis.set_major_locator(MultipleLocator(spacing))
