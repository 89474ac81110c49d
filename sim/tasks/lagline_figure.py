# SPDX-License-Identifier: Apache-2.0
"""The picture of the LagLine demo: parameters, loss and output of both rules over time."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from antevolt.sim.golden.activations import Array
from antevolt.sim.tasks.lag_chain import DT, PERIOD, TAU_M, WEIGHTS, History
from antevolt.sim.tasks.picture import write_png

__all__ = ["draw"]

COLOURS = ("tab:blue", "tab:orange")


def _parameters(axes: Axes, history: History, name: str, teacher: tuple[float, ...]) -> None:
    for student in history.students:
        values: Array = getattr(student, name)
        time = np.arange(len(values)) * PERIOD * DT
        for k, colour in enumerate(COLOURS):
            axes.plot(time, values[:, k], color=colour, alpha=0.7, linewidth=1)
    for value, colour in zip(teacher, COLOURS, strict=True):
        axes.axhline(value, color=colour, linestyle=":", linewidth=1.5)
    axes.set_title(f"{name}, {history.rule} errors")
    axes.set_xlabel("time")


def _losses(axes: Axes, histories: tuple[History, ...]) -> None:
    for history, colour in zip(histories, ("tab:green", "tab:red"), strict=True):
        for student in history.students:
            time = (np.arange(len(student.loss)) + 1) * PERIOD * DT
            label = history.rule if student is history.students[0] else None
            axes.semilogy(time, student.loss, color=colour, alpha=0.7, linewidth=1, label=label)
    axes.set_title("mean squared error of a period")
    axes.set_xlabel("time")
    axes.legend()


def _outputs(axes: Axes, histories: tuple[History, ...], name: str) -> None:
    time = np.arange(PERIOD) * DT
    first = histories[0].students[0]
    target = first.first_target if name == "before" else first.target
    axes.plot(time, target, color="black", linestyle=":", linewidth=2, label="teacher")
    for history, colour in zip(histories, ("tab:green", "tab:red"), strict=True):
        student = history.students[0]
        axes.plot(time, getattr(student, name), color=colour, label=history.rule, linewidth=1)
    axes.set_title(f"output, {'first' if name == 'before' else 'last'} period, seed {first.seed}")
    axes.set_xlabel("time")
    axes.legend()


def draw(path: Path, gle: History, instantaneous: History) -> None:
    """Write a PNG to `path`. Dotted lines are the teacher's. Raises OSError."""
    # No pyplot: it would choose a window system and keep the figure alive.
    figure = Figure(figsize=(13, 10), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([[*"wwwvvv"], [*"sssttt"], [*"llbbaa"]])
    histories = (gle, instantaneous)
    for name, teacher, places in (("weights", WEIGHTS, "wv"), ("tau_m", TAU_M, "st")):
        for history, place in zip(histories, places, strict=True):
            _parameters(panels[place], history, name, teacher)
    _losses(panels["l"], histories)
    _outputs(panels["b"], histories, "before")
    _outputs(panels["a"], histories, "after")
    figure.suptitle(
        "LagLine: blue the first neuron, orange the second; dotted lines are the teacher's"
    )
    write_png(figure, path, dpi=110)
