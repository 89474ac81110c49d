# SPDX-License-Identifier: Apache-2.0
"""The picture of `antevolt task mnist1d-ablations`: a bar for each variant."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from antevolt.sim.tasks.picture import write_png
from antevolt.sim.tasks.run_figure import COLOURS
from antevolt.sim.tasks.task import Record

__all__ = ["draw"]


def draw(path: Path, result: Record) -> None:
    """Write a PNG to `path`; finished variants alone are drawn. Raises OSError."""
    rows = [row for row in result["rows"] if row["finished"]]
    figure = Figure(figsize=(7.5, 1.2 + 0.28 * max(1, len(rows))), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.subplots()
    shares = [100 * row["valid"] for row in rows]
    colours = [COLOURS[1] if not row["changes"] else COLOURS[0] for row in rows]
    bars = panel.barh([row["name"] for row in rows], shares, color=colours, height=0.7)
    panel.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    if rows and not rows[0]["changes"]:
        panel.axvline(shares[0], color=COLOURS[1], linestyle=":", linewidth=1)
    panel.invert_yaxis()
    panel.set(
        xlim=(0, 108),
        xlabel="accuracy on valid / %",
        title=f"MNIST-1D after {result['epochs']} epochs, seed {result['seed']}",
    )
    panel.tick_params(axis="y", labelsize=8)
    panel.grid(axis="x", alpha=0.3)
    write_png(figure, path)
