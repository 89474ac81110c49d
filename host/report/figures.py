# SPDX-License-Identifier: Apache-2.0
"""Plots as inline SVG whose text and lines take the colours of the page, light or dark."""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadInput
from antevolt.host.extras import install
from antevolt.host.report.series import Bands, Lines

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bands", "histograms", "lines", "traces"]

INK, FAINT = "#010203", "#040506"  # stand-ins for the page's own colours
COLOURS = tuple(f"#0708{k:02x}" for k in range(6))  # likewise --c0 and so on
SIZE = (6.0, 2.6)
SVG = r'<svg viewBox="\1" role="img">'
NO_METADATA: dict[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
Numbers = NDArray[np.float64]


def lines(name: str, series: Lines, label: str, log: bool = False) -> str:
    """Lines over steps; `log`: a logarithmic axis where all numbers are positive."""

    def draw(axes: "Axes") -> None:
        for k, own in enumerate(series.names):
            marker = "." if len(series.x) < 40 else ""
            dashes = "--" if own == "cost" else "-"  # it may hide that of the last population
            style: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)], "lw": 1.4, "ls": dashes}
            axes.plot(series.x, series.y[:, k], marker=marker, label=own, **style)
        if log and (series.y > 0).all():
            axes.set_yscale("log")
        _labels(axes, "step", label)
        if len(series.names) > 1:
            _legend(axes, len(series.names))

    return _svg(name, draw)


def bands(name: str, series: Bands, label: str) -> str:
    """Median, and what 80 % and all of the elements lie within."""

    def draw(axes: "Axes") -> None:
        y, colour = series.y, COLOURS[0]
        axes.fill_between(series.x, y[:, 0], y[:, 4], color=colour, alpha=0.18, lw=0, label="all")
        axes.fill_between(series.x, y[:, 1], y[:, 3], color=colour, alpha=0.32, lw=0, label="80 %")
        axes.plot(series.x, y[:, 2], color=colour, lw=1.4, label="median")
        _labels(axes, "step", label)
        _legend(axes, 3)

    return _svg(name, draw)


def histograms(name: str, before: Numbers, after: Numbers, label: str) -> str:
    """Of the same weights at the start and at the end."""

    def draw(axes: "Axes") -> None:
        both = np.concatenate([before.ravel(), after.ravel()])
        low, high = float(both.min()), float(both.max())
        bins = int(np.clip(2 * np.sqrt(before.size), 8, 40))
        edges = np.linspace(low, high if high > low else low + 1e-6, bins + 1)
        start, _ = np.histogram(before, edges)
        end, _ = np.histogram(after, edges)
        axes.stairs(start, edges, color=COLOURS[1], lw=1.4, label="start")
        axes.stairs(end, edges, color=COLOURS[0], fill=True, alpha=0.45, label="end")
        _labels(axes, label, "count")
        _legend(axes, 2)

    return _svg(name, draw)


def traces(name: str, x: Numbers, outputs: Numbers, targets: Numbers | None) -> str:
    """Outputs [steps, n] and, dashed, their targets."""

    def draw(axes: "Axes") -> None:
        for k in range(outputs.shape[1]):
            colour = COLOURS[k % len(COLOURS)]
            axes.plot(x, outputs[:, k], color=colour, lw=1.3, label=f"output {k}")
            if targets is not None:
                axes.plot(x, targets[:, k], color=colour, lw=1.1, ls="--", alpha=0.75)
        _labels(axes, "step", "output" + ("" if targets is None else ", target dashed"))
        if outputs.shape[1] > 1:
            _legend(axes, outputs.shape[1])

    return _svg(name, draw)


def _labels(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.margins(x=0.01)
    axes.grid(color=FAINT, lw=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT)


def _legend(axes: "Axes", count: int) -> None:
    columns = min(6, count)
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": columns}
    axes.legend(frameon=False, fontsize=8, columnspacing=1.2, handlelength=1.4, **place)


def _svg(name: str, draw: Callable[["Axes"], None]) -> str:
    """The figure that `draw` fills; `name` makes its ids its own."""
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput(f"a report needs matplotlib; {install('sim')} brings it") from error

    inked = ("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor")
    own: Any = dict.fromkeys(inked, INK)
    own |= {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 9}
    with mpl.rc_context(own):
        figure = Figure(figsize=SIZE, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata=NO_METADATA)
    return _inline(name, file.getvalue())


def _inline(name: str, text: str) -> str:
    """An SVG for the middle of a page: no prolog, ids of its own, the page's colours and fonts."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', SVG, text, count=1)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    text = re.sub(r"font:[^;\"]*?([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = re.sub(r" *font-family:[^;\"]*;?", "", text)
    for k, colour in enumerate(COLOURS):
        text = text.replace(colour, f"var(--c{k})")
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)").strip()
