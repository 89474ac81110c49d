# SPDX-License-Identifier: Apache-2.0
"""The picture of `antevolt demo`: what came out before and after, and the weights on the way."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from antevolt.sim.tasks.lagnet import DT, LEARN_FROM, TEACHER, Run, signals

__all__ = ["draw"]

TARGET, FIRST, SECOND = "#555555", "#0072b2", "#d55e00"  # told apart by colour-blind eyes too
SPAN = 1500  # steps shown of the output


def draw(path: Path, gle: Sequence[Run], instantaneous: Sequence[Run]) -> None:
    """Write a PNG to `path`; the runs of one rule differ in their start. Raises OSError."""
    figure = Figure(figsize=(11, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([["g", "i"], ["b", "a"]])
    for name, runs, title in (
        ("g", gle, "GLE, prospective errors"),
        ("i", instantaneous, "instantaneous errors, the best of three rates"),
    ):
        _weights(panels[name], runs, title)
    steps = len(gle[0].outputs)
    for name, first, title in (
        ("b", LEARN_FROM - SPAN, "output before learning"),
        ("a", steps - SPAN, "output after learning"),
    ):
        _outputs(panels[name], first, gle[0], instantaneous[0], title)
    figure.suptitle("LagNet in the RTL: a student finds its teacher's weights, online")
    figure.savefig(path, dpi=110)


def _weights(panel: Any, runs: Sequence[Run], title: str) -> None:
    for run in runs:
        for n, colour in enumerate((FIRST, SECOND)):
            panel.plot(run.looked * DT, run.weights[:, n], color=colour, linewidth=1)
    for goal, colour in zip(TEACHER["0.weight"][:, 0], (FIRST, SECOND), strict=True):
        panel.axhline(goal, color=colour, linestyle=":", linewidth=1.6)
    panel.axvline(LEARN_FROM * DT, color="#bbbbbb", linewidth=0.8)
    panel.set(title=title, xlabel="time", ylabel="weights", ylim=(-2, 2))
    panel.text(LEARN_FROM * DT, -1.9, " learning starts", color="#777777", fontsize=8)
    panel.text(0.01, 0.98, f"{len(runs)} starts; dotted: the teacher's", va="top", fontsize=8,
               transform=panel.transAxes)  # fmt: skip


def _outputs(panel: Any, first: int, gle: Run, other: Run, title: str) -> None:
    shown = slice(first, first + SPAN)
    time = np.arange(shown.start, shown.stop) * DT
    target = signals(len(gle.outputs))[1][shown, 0]
    panel.plot(time, target, color=TARGET, linewidth=3, alpha=0.5, label="target")
    panel.plot(time, gle.outputs[shown], color=FIRST, linewidth=1.2, label="GLE")
    panel.plot(
        time, other.outputs[shown], color=SECOND, linewidth=1.2, linestyle="--",
        label="instantaneous",
    )  # fmt: skip
    panel.set(title=f"{title} (seed {gle.seed})", xlabel="time", ylabel="output")
    panel.legend(fontsize=8, loc="upper right")
