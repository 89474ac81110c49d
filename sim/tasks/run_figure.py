# SPDX-License-Identifier: Apache-2.0
"""The picture of `antevolt task NAME`: figures over the epochs, seed by seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from antevolt.sim.tasks.picture import write_png
from antevolt.sim.tasks.task import Settings, Task

__all__ = ["draw"]

# Of the palette of Okabe and Ito: told apart by colour-blind eyes too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES: tuple[dict[str, Any], ...] = (
    {"linewidth": 0.8, "alpha": 0.6},
    {"marker": "o", "markersize": 3},
    {"linestyle": "--"},
)
FEW = 6  # seeds; of more, one line of the legend each is too many


def draw(path: Path, task: Task, settings: Settings, runs: Sequence[Mapping[str, Any]]) -> None:
    """Write a PNG to `path`; `runs` are records of `run.learn`. Raises OSError."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    profiles = [run for run in runs if any(task.profile in e for e in run["epochs"])]
    panels = figure.subplots(1, 2 if profiles else 1, squeeze=False)[0]
    panel = panels[0]
    scale = 1 if task.logarithmic else 100
    for k, run in enumerate(runs):
        colour, epochs = COLOURS[k % len(COLOURS)], run["epochs"]
        for name, style in zip(task.series, STYLES, strict=False):
            there = [e for e in epochs if e[name] is not None]
            panel.plot(
                [e["epoch"] for e in there],
                [scale * e[name] for e in there],
                color=colour,
                label=name if k == 0 else None,
                **style,
            )
        if run["test"] is not None:
            panel.plot(
                len(epochs),
                scale * run["test"],
                color=colour,
                marker="*",
                markersize=11,
                linestyle="",
                label=f"seed {run['seed']}, test: {task.shown(run['test'])}"
                if len(runs) <= FEW or k in (0, len(runs) - 1)
                else None,
            )
    for (name, value), colour in zip(task.lines(settings).items(), COLOURS[::-1], strict=False):
        panel.axhline(scale * value, color=colour, linestyle=":", label=name)
    panel.set(xlabel="epoch", title=task.title(settings))
    panel.grid(alpha=0.3)
    if task.logarithmic:
        panel.set(ylabel=task.measure, yscale="log")
    else:
        panel.set(ylabel=f"{task.measure} / %", ylim=(0, 101))
    if runs:
        panel.legend(loc="best", fontsize=8)
    if profiles:
        _draw_profile(panels[1], task.profile, profiles[0])
    write_png(figure, path)


def _draw_profile(panel: Any, name: str, run: Mapping[str, Any]) -> None:
    """What an epoch has one figure of for each projection, in the first run that has it."""
    there = [e for e in run["epochs"] if name in e]
    count = len(there[0][name])
    for k in range(count):
        panel.plot(
            [e["epoch"] for e in there],
            [e[name][k] for e in there],
            color=COLOURS[k % len(COLOURS)],
            linestyle="-" if k < len(COLOURS) else "--",
            marker="o",
            markersize=3,
            label=f"projection {k}",
        )
    panel.set(xlabel="epoch", title=f"{name}, seed {run['seed']}", ylim=(None, 1.01))
    panel.grid(alpha=0.3)
    panel.legend(loc="best", fontsize=8)
