# SPDX-License-Identifier: Apache-2.0
"""The page about a run: one HTML file that needs no other and no network."""

from html import escape
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from antevolt.host.report import figures
from antevolt.host.report.drawing import drawing
from antevolt.host.report.series import Bands, Lines, of_log, tapped
from antevolt.host.report.tables import (
    number,
    pairs,
    populations,
    projections,
    settings,
    totals,
)
from antevolt.host.run_data import Data
from antevolt.host.run_folder import Recorded

__all__ = ["page"]

LOOK = 400
"""Steps whose outputs are drawn, at the start and at the end."""
MOST_TAPS = 24
SECURITY = "default-src 'none'; style-src 'unsafe-inline'"


def page(run: Recorded, name: str, data: Data | None = None) -> str:
    """HTML of a run called `name`; with its data the targets are drawn, too."""
    cards = [
        _card("Network", drawing(run.network), "Weights and biases beside the arrows.", wide=True),
        *_curves(run),
        *_outputs(run, data),
        *_weights(run),
        *_taps(run),
        _card("Populations", populations(run.network), wide=True),
        _card("Projections", projections(run.network), wide=True),
        _card("Constants", settings(run.network)),
        _card("Device", pairs(_device(run))),
        _card("Run", pairs(_about(run))),
        _card("Counted", pairs(totals(run))),
    ]
    style = files("antevolt.host.report").joinpath("page.css").read_text()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{SECURITY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(name)}: antevolt run</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>{escape(name)}</h1>
<p>{escape(_subtitle(run))}</p>
</header>
<div class="numbers">
{_numbers(run)}
</div>
<div class="cards">
{"".join(cards)}</div>
<footer>antevolt {escape(str(run.about.get("versions", {}).get("antevolt", "")))}</footer>
</body>
</html>
"""


def _card(title: str, content: str, about: str = "", wide: bool = False) -> str:
    said = f"<p>{escape(about)}</p>\n" if about else ""
    kind = ' class="wide"' if wide else ""
    return f"<section{kind}>\n<h2>{escape(title)}</h2>\n{said}{content}\n</section>\n"


def _subtitle(run: Recorded) -> str:
    about = run.about
    does = "learning" if about.get("learn") else "not learning"
    device, kind = about.get("device"), about.get("implementation")
    where = str(device) if kind == device else f"{device} ({kind})"
    return f"{about.get('network_file')} on {where}, {does}, begun {about.get('began')}"


def _numbers(run: Recorded) -> str:
    """The tiles at the top."""
    log, total = run.log, run.about.get("steps")
    tiles = {"steps": f"{len(run.outputs):,}"}
    if isinstance(total, int) and total != len(run.outputs):
        tiles["steps"] += f" of {total:,}"
    for name, form in (("loss", ".3g"), ("accuracy", ".1%")):
        curve = of_log(log, name)
        if curve is not None:
            ends = log[0][name], log[-1][name]
            shown = [format(value, form) for value in (ends if len(log) > 1 else ends[1:])]
            tiles[f"{name}, first and last" if len(log) > 1 else name] = " → ".join(shown)
    if log:
        tiles["steps per second, median"] = number(
            round(float(np.median([line["steps_per_second"] for line in log])))
        )
        saturated = sum(sum(line["saturated"].values()) for line in log)
        tiles["saturations"] = f"{saturated:,}"
    tiles["weights and biases"] = f"{run.network.weight_count:,}"
    return "\n".join(
        f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>"
        for name, value in tiles.items()
    )


def _curves(run: Recorded) -> list[str]:
    """Of the log."""
    every = "One point per checkpoint."
    cards = []
    for name, title, log, about in (
        ("loss", "Loss", True, f"Mean of the steps up to it. {every}"),
        ("accuracy", "Accuracy", False, f"Of the steps up to it. {every}"),
    ):
        curve = of_log(run.log, name)
        if curve is not None:
            cards.append(_card(title, figures.lines(name, curve, name, log), about))
    energy, cost = of_log(run.log, "energy"), of_log(run.log, "cost")
    if energy is not None and cost is not None:
        names = (*(f"population {name}" for name in energy.names), "cost")
        both = Lines(energy.x, np.hstack([energy.y, cost.y]), names)
        figure = figures.lines("energy", both, "energy", True)
        about = "1/2 |e|² of each population and beta C after the step of each checkpoint, mean "
        cards.append(_card("Energy", figure, about + "over the streams."))
    saturated = of_log(run.log, "saturated")
    if saturated is not None and saturated.y.any():
        there = saturated.y.any(axis=0)
        names = tuple(np.array(saturated.names)[there].tolist())
        own = Lines(saturated.x, saturated.y[:, there], names)
        figure = figures.lines("saturated", own, "saturations")
        cards.append(_card("Saturations", figure, f"By kind, since the checkpoint before. {every}"))
    speed = of_log(run.log, "steps_per_second")
    if speed is not None:
        figure = figures.lines("speed", speed, "steps per second")
        cards.append(_card("Speed", figure, "Of the host, its other work included."))
    out, into = of_log(run.log, "link", "out"), of_log(run.log, "link", "into")
    if out is not None and into is not None:
        both = Lines(out.x, np.hstack([out.y, into.y]), ("to the board", "from the board"))
        figure = figures.lines("link", both, "bytes per second")
        cards.append(_card("Link", figure, _link(run)))
    return cards


def _link(run: Recorded) -> str:
    use = run.log[-1]["link"]
    resent, bad = (sum(line["link"][name] for line in run.log) for name in ("resent", "bad"))
    fullest = max(line["link"]["fullest"] for line in run.log)
    return (
        f"{use['baud']:,} baud; at most {fullest:,} of {use['window']:,} bytes of the board's "
        f"buffer in use; {resent} frames sent again, {bad} damaged."
    )


def _outputs(run: Recorded, data: Data | None) -> list[str]:
    """Of stream 0, at the start and at the end."""
    steps = len(run.outputs)
    spans = [("First outputs", 0, min(LOOK, steps))]
    if steps > LOOK:
        spans.append(("Last outputs", max(LOOK, steps - LOOK), steps))
    cards = []
    for title, start, end in spans:
        if end == start:
            continue
        x, outputs = np.arange(start, end, dtype=np.float64), run.outputs[start:end, 0, :6]
        targets: NDArray[np.float64] | None = None
        if data is not None and data.y is not None:
            own = np.reshape(data.y[start:end], run.outputs[start:end].shape)
            targets = own[:, 0, :6].astype(np.float64)
        name = title.lower().replace(" ", "-")
        cards.append(_card(title, figures.traces(name, x, outputs, targets), "Of stream 0."))
    return cards


def _weights(run: Recorded) -> list[str]:
    """Histograms at the start and at the last checkpoint."""
    cards = []
    for name, before in run.start.items():
        if not name.startswith("projection.") or not name.endswith((".weight", ".backward")):
            continue
        k = int(name.split(".")[1])
        own = run.network.projections[k]
        label = name.rpartition(".")[2]
        figure = figures.histograms(
            f"histogram-{k}-{label}",
            before.astype(np.float64),
            run.end[name].astype(np.float64),
            label,
        )
        moved = float(np.mean(before != run.end[name]))
        about = f"From {own.source} to {own.target}; {moved:.0%} of {before.size:,} changed."
        cards.append(_card(f"Projection {k}: {label}s", figure, about))
    return cards


def _taps(run: Recorded) -> list[str]:
    cards = []
    for k, (name, values) in enumerate(list(run.taps.items())[:MOST_TAPS]):
        if not len(values):
            continue
        series = tapped(run.tap_steps, values)
        if isinstance(series, Bands):
            figure = figures.bands(f"tap-{k}", series, name)
            about = f"{series.count} numbers"
        else:
            figure = figures.lines(f"tap-{k}", series, name)
            about = "A line for each number"
        every = number(run.about["tap_every"])
        cards.append(_card(f"Tap: {name}", figure, f"{about}, every {every} steps."))
    if len(run.taps) > MOST_TAPS:
        left = ", ".join(list(run.taps)[MOST_TAPS:])
        cards.append(_card("More taps", "", f"Recorded, not drawn: {left}."))
    return cards


def _device(run: Recorded) -> dict[str, object]:
    core = dict(run.about.get("core", {}))
    formats = core.pop("formats", {})
    return {
        "device": run.about.get("device"),
        "implementation": run.about.get("implementation"),
        **core,
        **(formats if isinstance(formats, dict) else {}),
    }


def _about(run: Recorded) -> dict[str, object]:
    about = run.about
    return {
        "begun": about.get("began"),
        "checkpoints": len(run.log),
        "learning": about.get("learn"),
        "seed of the network": about.get("seed"),
        "seed of the core's random bits": int(run.start["register.seed"][0]),
        "data, SHA-256": about.get("data"),
        "taps": ", ".join(about.get("taps", [])) or None,
        **{f"version: {k}": v for k, v in dict(about.get("versions", {})).items()},
    }
