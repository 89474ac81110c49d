# SPDX-License-Identifier: Apache-2.0
"""A network as a picture (SVG): populations from left to right, projections as arrows.

Projections to the next population are straight, those past a population go above, recurrent ones
below.
"""

from html import escape

from antevolt.hdl.spec.network import Network

__all__ = ["drawing"]

WIDTH, HEIGHT, GAP = 144, 62, 64  # of a box; between two boxes
LIFT, MARGIN = 34, 14  # of an arc per population that it spans
HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>'
)


def drawing(network: Network) -> str:
    """An `<svg>` whose classes the page's style colours."""
    sizes = network.sizes
    spans = [(p.source, p.target) for p in network.projections]
    above = max((t - s - 1 for s, t in spans if t > s), default=0)
    below = max((s - t + 1 for s, t in spans if s >= t), default=0)
    top = MARGIN + LIFT * above + (10 if above else 0)
    width = 2 * MARGIN + len(sizes) * WIDTH + (len(sizes) - 1) * GAP
    height = top + HEIGHT + LIFT * below + MARGIN
    opening = (
        f'<svg class="network" viewBox="0 0 {width} {height}" role="img" '
        f'style="max-width: {width}px" aria-label="the network">'
    )
    parts = [opening, HEAD]
    for k, (source, target) in enumerate(spans):
        projection = network.projections[k]
        style = "arrow" if projection.learn else "arrow frozen"
        count = sizes[target] * (sizes[source] + projection.bias)
        path, x, y = _path(source, target, top)
        about = f"projection {k}: {count} weights" + ("" if projection.learn else ", frozen")
        parts.append(
            f'<path class="{style}" d="{path}" marker-end="url(#head)">'
            f"<title>{escape(about)}</title></path>"
            f'<text class="small" x="{x}" y="{y}" text-anchor="middle">{count}</text>'
        )
    parts += [_box(network, l, top) for l in range(len(sizes))]
    return "\n".join([*parts, "</svg>"])


def _left(l: int) -> int:
    return MARGIN + l * (WIDTH + GAP)


def _path(source: int, target: int, top: int) -> tuple[str, float, float]:
    """The arrow, and where its label stands."""
    left, right, floor = _left(source), _left(target), top + HEIGHT
    if target == source + 1:
        begin, end, middle = left + WIDTH, right - 2, top + HEIGHT / 2
        return f"M{begin} {middle} H{end}", (begin + end) / 2, middle - 6
    if target > source:
        x0, x1 = left + WIDTH * 0.7, right + WIDTH * 0.3
        peak = top - LIFT * (target - source - 1) * 1.25
        path = f"M{x0} {top} C{x0} {peak} {x1} {peak} {x1} {top - 2}"
        return path, (x0 + x1) / 2, top - LIFT * (target - source - 1) * 0.94 - 5
    x0, x1 = left + WIDTH * 0.7, right + WIDTH * 0.3
    deep = floor + LIFT * (source - target + 1) * 1.2
    path = f"M{x0} {floor} C{x0} {deep} {x1} {deep} {x1} {floor + 2}"
    return path, (x0 + x1) / 2, floor + LIFT * (source - target + 1) * 0.9 - 7


def _box(network: Network, l: int, top: int) -> str:
    x, middle = _left(l), _left(l) + WIDTH / 2
    population = network.populations[l - 1] if l else None
    title = "inputs" if population is None else f"population {l}"
    about = "" if population is None else f"{population.phi}, {population.rule}"
    return (
        f'<rect class="box" x="{x}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text class="small" x="{middle}" y="{top + 17}" text-anchor="middle">{title}</text>'
        f'<text class="size" x="{middle}" y="{top + 37}" text-anchor="middle">'
        f"{network.sizes[l]}</text>"
        f'<text class="small" x="{middle}" y="{top + 54}" text-anchor="middle">'
        f"{escape(about)}</text>"
    )
