# SPDX-License-Identifier: Apache-2.0
"""Places for multipliers and block RAMs on ECP5, by component, written into a netlist.

nextpnr sets such blocks one after the other. Where nine in ten are taken, the last ones get a
place far from what they belong to, and the clock is theirs. Here a stream is a stripe of the part,
from its top to its bottom: array rows are dealt to the rows of multipliers, the first ones to the
lowest, below which the column stands; memories go to where their words are used, as near as all of
them together can be. Logic is left to the placer; so are the memories of a part that one row of
multipliers crosses, on which nothing is far and nextpnr does better by itself.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antevolt.boards.constants import spread
from antevolt.boards.sites import SITES, Site, Sites
from antevolt.hdl.spec.machine import Machine

__all__ = ["floorplan", "pin"]

ELEMENT = re.compile(r"\barray\.element(\d+)_(\d+)\.mult([01])\.")
MEMORY = re.compile(r"\barray\.(weights|gradients|moments|rates|q)(\d+)(?:_odd)?\.")
COLUMN = re.compile(r"\bcolumn(\d+)\.")
HEAD_ABOVE = re.compile(r"\b(outlet|link)\.")  # those between the core's head and the host

# Share of the way from a row's first element to its last. A weight goes to the first, a gradient
# comes from the last, and the apply lane between them has both.
ALONG_ROW = {"weights": 0.45, "gradients": 0.7, "moments": 0.6}

HEAD = 0.1  # of the part's width, left of the streams: who tells the columns what to do

Spot = tuple[float, float]


@dataclass(frozen=True)
class _Plan:
    """Where the elements stand, and what else is said by that."""

    sites: Sites
    machine: Machine
    elements: dict[tuple[int, int], tuple[Site, Site]]

    def stripe(self, k: int) -> float:
        """The middle of stream k."""
        places = [self.elements[i, k][0].x for i in range(self.machine.rows)]
        return sum(places) / len(places)

    @property
    def columns_row(self) -> float:
        """The columns stand around the last two rows of RAMs."""
        return sum(self.sites.rams[-2:]) / 2

    def spot(self, cell: str) -> Spot:
        """Where a memory, or a multiplier that is no element's, is used."""
        if found := MEMORY.search(cell):
            return self._of_array(found[1], int(found[2]))
        if found := COLUMN.search(cell):
            return self.stripe(int(found[1])), self.columns_row
        if HEAD_ABOVE.search(cell):
            return 0, self.sites.rams[-3]
        return 0, self.columns_row  # commands and accesses come to the first column first

    def _of_array(self, memory: str, number: int) -> Spot:
        rows, streams = self.machine.rows, self.machine.streams
        if memory in ALONG_ROW:
            first, last = self.elements[number, 0][0], self.elements[number, streams - 1][0]
            return first.x + ALONG_ROW[memory] * (last.x - first.x), first.y
        row = 0 if memory == "rates" else rows - 1  # activities enter there, sums leave here
        return self.stripe(number), self.elements[row, number][0].y


def floorplan(sites: Sites, machine: Machine, cells: dict[str, str]) -> dict[str, str]:
    """A BEL for each multiplier and block RAM of a core's netlist; where the part has one row of
    multipliers, for the array's alone.

    sites : of the part
    cells : name and type of a netlist's cells

    Nothing where the part's rows of multipliers are too short for the array.
    """
    elements = _elements(sites, machine)
    if elements is None:
        return {}
    plan = _Plan(sites, machine, elements)
    multipliers = [name for name, kind in cells.items() if kind == "MULT18X18D"]
    of = {name: found for name in multipliers if (found := ELEMENT.search(name))}
    bels = {
        name: elements[int(found[1]), int(found[2])][int(found[3])].bel
        for name, found in of.items()
    }
    if not sites.striped:
        return bels
    taken = set(bels.values())
    pairs = (pair for y in sites.multipliers for pair in sites.pairs(y))
    free = [site for pair in pairs for site in pair if site.bel not in taken]
    rams = [name for name, kind in cells.items() if kind == "DP16KD"]
    bels |= _near(plan, [name for name in multipliers if name not in of], free)
    return bels | _near(plan, rams, sites.blocks())


def _elements(sites: Sites, machine: Machine) -> dict[tuple[int, int], tuple[Site, Site]] | None:
    """Multipliers of each element, in as few rows of them as can be; None: they do not fit."""
    rows = [sites.pairs(y) for y in reversed(sites.multipliers)]
    width, streams = len(rows[0]), machine.streams
    per = min(machine.rows, width // streams)  # array rows in a row of multipliers
    if not per or -(-machine.rows // per) > len(rows):
        return None
    if streams == 1:  # as long as each other: beside them there is room for the column
        per = -(-machine.rows // -(-machine.rows // per))
    left, each = (HEAD * width, (1 - HEAD) * width / streams)
    if not sites.striped:
        left, each = (width - per * streams) // 2, per
    starts = [int(left + (k + 0.5) * each - per / 2) for k in range(streams)]

    def along(i: int) -> int:
        """One stream is as wide as the part: where it turns, the next row stands below."""
        back = streams == 1 and i // per % 2
        return per - 1 - i % per if back else i % per

    return {
        (i, k): rows[i // per][starts[k] + along(i)]
        for i in range(machine.rows)
        for k in range(streams)
    }


def _near(plan: _Plan, cells: list[str], sites: list[Site]) -> dict[str, str]:
    """Sites by which the squared distances to where the cells are used are least in all."""
    from scipy.optimize import linear_sum_assignment

    if not 0 < len(cells) <= len(sites):
        return {}
    spots = [plan.spot(cell) for cell in cells]
    far = [[(x - s.x) ** 2 + (y - s.y) ** 2 for s in sites] for x, y in spots]
    chosen = zip(*linear_sum_assignment(far), strict=True)
    return {cells[cell]: sites[site].bel for cell, site in chosen}


def pin(netlist: Path, device: str, machine: Machine) -> int:
    """Write the places into a netlist of yosys, and constants beside those who take them; returns
    how many places there are: none on a part that is not known here.

    device : nextpnr's argument for the part
    """
    sites = SITES.get(device)
    if sites is None:
        return 0
    design = json.loads(netlist.read_text())
    spread(design["modules"]["top"])
    cells: dict[str, Any] = design["modules"]["top"]["cells"]
    bels = floorplan(sites, machine, {name: cell["type"] for name, cell in cells.items()})
    for name, bel in bels.items():
        cells[name]["attributes"]["BEL"] = bel
    netlist.write_text(json.dumps(design))
    return len(bels)
