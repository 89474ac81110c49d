# SPDX-License-Identifier: Apache-2.0
"""A component takes what it took, in every family, within 10 %.

The apply lane, not a core: four cores would take minutes. `make fit` synthesises those.
"""

from pathlib import Path

import pytest

from antevolt.boards.pieces import stored
from antevolt.boards.presets import SMALLEST
from antevolt.boards.synthesis import Architecture, Usage, netlist, usage
from antevolt.hdl.core.apply import ApplyLane

WITHIN = 0.10


def beyond(found: Usage, baseline: Usage) -> list[str]:
    """Resources that grew or shrank by more than 10 %."""
    pairs = zip(found.to_dict().items(), baseline.values(), strict=True)
    return [name for (name, now), then in pairs if abs(now - then) > WITHIN * then]


@pytest.mark.parametrize("architecture", ["ecp5", "ice40", "gowin", "xilinx"])
def test_cells_are_those_of_the_baseline(architecture: Architecture, tmp_path: Path) -> None:
    baseline = stored(architecture, "ApplyLane", SMALLEST)
    assert baseline is not None
    cells = netlist(tmp_path, ApplyLane(SMALLEST, 0), architecture, apart=False)
    assert beyond(usage(architecture, cells), baseline) == []


def test_what_grew_is_named() -> None:
    then = Usage(1000, 500, 3, 10)
    assert beyond(Usage(1099, 451, 3, 10), then) == []
    assert beyond(Usage(1101, 500, 3, 12), then) == ["luts", "rams"]
    assert beyond(Usage(1000, 500, 0, 10), then) == ["multipliers"]
