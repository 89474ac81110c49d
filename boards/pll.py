# SPDX-License-Identifier: Apache-2.0
"""Settings of the parts' phase-locked loops: the core's clock from the board's oscillator.

Limits in MHz, as the vendors' data sheets give them; nextpnr derives the clock from the same
settings, so that a wrong one shows in its report.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from antevolt.hdl.spec.errors import BadInput

__all__ = ["Pll", "find"]


@dataclass(frozen=True)
class Limits:
    """Ranges of the comparison frequency and of the oscillator inside, and of the dividers."""

    compare: tuple[float, float]
    inside: tuple[float, float]
    refer: int
    feedback: int
    outputs: tuple[int, ...]


LIMITS = {
    "ecp5": Limits((10, 400), (400, 800), 128, 80, tuple(range(1, 129))),
    "ice40": Limits((10, 133), (533, 1066), 16, 128, tuple(2**q for q in range(1, 7))),
    "gowin": Limits((3, 400), (400, 1200), 64, 64, (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)),
    "xilinx": Limits((19, 800), (800, 1600), 56, 64, tuple(range(1, 129))),
}
"""ECP5's feedback is taken behind the output divider, Gowin's too; the others' before it."""


@dataclass(frozen=True)
class Pll:
    """f = reference * feedback / refer (/ output, where the feedback is taken before it)."""

    family: str
    refer: int
    feedback: int
    output: int
    hz: float


def find(family: str, reference: float, hz: float) -> Pll:
    """The settings that come closest to `hz` without exceeding it, then the fastest inside.

    Raises BadInput where nothing within 5 % is possible.
    """
    best = max(
        (p for p in _all(family, reference) if p.hz <= hz * (1 + 1e-9)),
        key=lambda p: (round(p.hz), -p.refer, p.hz * p.output),
        default=None,
    )
    if best is None or best.hz < 0.95 * hz:
        raise BadInput(
            f"a clock of {hz / 1e6:g} MHz cannot be made from {reference / 1e6:g} MHz on {family}"
        )
    return best


def _all(family: str, reference: float) -> Iterator[Pll]:
    limits, behind = LIMITS[family], family in ("ecp5", "gowin")
    for refer in range(1, limits.refer + 1):
        compare = reference / refer
        if not limits.compare[0] <= compare / 1e6 <= limits.compare[1]:
            continue
        for feedback in range(1, limits.feedback + 1):
            for output in limits.outputs:
                hz = compare * feedback / (1 if behind else output)
                inside = hz * output
                if limits.inside[0] <= inside / 1e6 <= limits.inside[1]:
                    yield Pll(family, refer, feedback, output, hz)
