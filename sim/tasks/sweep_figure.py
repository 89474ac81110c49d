# SPDX-License-Identifier: Apache-2.0
"""The picture of a sweep: how it got better, and the figure over each option that was varied."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from antevolt.sim.tasks.picture import write_png
from antevolt.sim.tasks.run_figure import COLOURS
from antevolt.sim.tasks.space import Dimension, Range
from antevolt.sim.tasks.task import Record, Task

__all__ = ["draw"]

COLUMNS = 3


def draw(path: Path, task: Task, space: Mapping[str, Dimension], found: Record) -> None:
    """Write a PNG to `path`; `found` as `sweep.result` gives it. Raises OSError."""
    trials = [t for t in found["trials"] if t["value"] is not None]
    panels = 1 + len(space)
    rows = math.ceil(panels / COLUMNS)
    size = (3.6 * min(panels, COLUMNS), 3.2 * rows)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(np.atleast_1d(figure.subplots(rows, min(panels, COLUMNS))).flat)
    for left in axes[panels:]:
        left.remove()
    scale = 1 if task.logarithmic else 100
    figures = [scale * t["value"] for t in trials]
    _history(axes[0], task, trials, figures)
    for panel, (name, one) in zip(axes[1:], space.items(), strict=False):
        _option(panel, name, one, trials, figures)
    for panel in axes[:panels]:
        panel.grid(alpha=0.3)
        panel.set_ylabel(f"{found['figure']}{'' if task.logarithmic else ' / %'}", fontsize=8)
        if task.logarithmic and figures:
            panel.set_yscale("log")
    figure.suptitle(f"{found['task']}: {len(trials)} trials, seeds {found['seeds']}", fontsize=10)
    write_png(figure, path)


def _points(panel: Axes, at: list[Any], trials: list[Record], figures: list[float]) -> None:
    """Whole runs filled, those that were given up hollow."""
    for state, face in (("complete", COLOURS[0]), ("pruned", "none")):
        chosen = [n for n, t in enumerate(trials) if t["state"] == state]
        if chosen:
            panel.scatter(
                [at[n] for n in chosen],
                [figures[n] for n in chosen],
                s=18,
                facecolor=face,
                edgecolor=COLOURS[0],
                label="whole" if state == "complete" else "given up",
            )


def _history(panel: Axes, task: Task, trials: list[Record], figures: list[float]) -> None:
    _points(panel, [t["number"] for t in trials], trials, figures)
    whole = [
        (t["number"], f) for t, f in zip(trials, figures, strict=True) if t["state"] != "pruned"
    ]
    if whole:
        numbers, values = zip(*whole, strict=True)
        best = np.maximum.accumulate(values) if task.higher else np.minimum.accumulate(values)
        panel.step(numbers, best, where="post", color=COLOURS[1], label="best so far")
        panel.legend(fontsize=7)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("trial", fontsize=8)


def _option(
    panel: Axes, name: str, one: Dimension, trials: list[Record], figures: list[float]
) -> None:
    values = [t["values"][name] for t in trials]
    if isinstance(one, Range):
        _points(panel, values, trials, figures)
        if one.logarithmic:
            panel.set_xscale("log")
    else:
        places = {value: n for n, value in enumerate(one.values)}
        _points(panel, [places[v] for v in values], trials, figures)
        panel.set_xticks(range(len(one.values)), one.values)
        panel.set_xlim(-0.5, len(one.values) - 0.5)
    panel.set_xlabel(f"--{name}", fontsize=8)
