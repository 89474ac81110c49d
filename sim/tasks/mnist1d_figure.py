# SPDX-License-Identifier: Apache-2.0
"""The picture of `antevolt task mnist1d`: accuracy over the epochs, seed by seed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["draw"]

# Of the palette of Okabe and Ito: told apart by colour-blind eyes too.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")


def draw(path: Path, title: str, runs: Sequence[Mapping[str, Any]]) -> None:
    """Write a PNG to `path`; `runs` are records of `mnist1d.learn`. Raises OSError."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    for k, run in enumerate(runs):
        colour, epochs = COLOURS[k % len(COLOURS)], run["epochs"]
        panel.plot(
            [e["epoch"] for e in epochs],
            [100 * e["train"] for e in epochs],
            color=colour,
            linewidth=0.8,
            alpha=0.6,
            label="training sequences, while learning" if k == 0 else None,
        )
        looked = [e for e in epochs if e["valid"] is not None]
        panel.plot(
            [e["epoch"] for e in looked],
            [100 * e["valid"] for e in looked],
            color=colour,
            marker="o",
            markersize=3,
            label=f"seed {run['seed']}, fresh sequences",
        )
        if run["test"] is not None:
            panel.plot(
                len(epochs),
                100 * run["test"],
                color=colour,
                marker="*",
                markersize=11,
                linestyle="",
                label=f"seed {run['seed']}, test: {100 * run['test']:.1f} %",
            )
    panel.set(xlabel="epoch", ylabel="classified rightly / %", title=title, ylim=(0, 101))
    panel.grid(alpha=0.3)
    if runs:
        panel.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=150)
