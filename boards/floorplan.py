# SPDX-License-Identifier: Apache-2.0
"""Places for the array's multipliers on ECP5, so that an element's two stay beside each other.

ECP5 parts have rows of multipliers as wide as the part, two pairs in every nine columns. Array rows
are dealt to these rows in blocks, streams run from left to right.
"""

from antevolt.hdl.spec.machine import Machine

__all__ = ["Bels", "floorplan"]

Bels = dict[tuple[int, int], tuple[str, str]]
"""The two multipliers of element (row, stream), as BEL names of nextpnr."""

ROWS: dict[str, tuple[tuple[int, ...], int, int]] = {
    "25k": ((13,), 7, 27),
    "85k": ((10, 34, 58), 13, 63),
}
"""Rows of multipliers, groups of two pairs in each, and the column after which two are left out."""


def _pairs(device: str) -> list[list[tuple[str, str]]]:
    rows, groups, gap = ROWS[device]
    found = []
    for y in rows:
        row = []
        for n in range(groups):
            x = 4 + 9 * n + (2 if 4 + 9 * n > gap else 0)
            for at, number in ((x, 0), (x + 4, 4)):
                first, second = f"X{at}/Y{y}/MULT18_{number}", f"X{at + 1}/Y{y}/MULT18_{number + 1}"
                row.append((first, second))
        found.append(row)
    return found


def floorplan(device: str, machine: Machine) -> Bels | None:
    """A pair of multipliers per element; None where the part's rows are unknown or too short.

    As few rows of multipliers as hold them, around the middle of the part. The filters' multipliers
    are left to the placer.
    """
    if device not in ROWS:
        return None
    rows = _pairs(device)
    per = min(machine.rows, len(rows[0]) // machine.streams)  # array rows in a row of multipliers
    used = -(-machine.rows // per) if per else len(rows) + 1
    if used > len(rows):
        return None
    first = (len(rows) - used) // 2
    offset = (len(rows[0]) - per * machine.streams) // 2
    return {
        (i, k): rows[first + i // per][offset + k * per + i % per]
        for i in range(machine.rows)
        for k in range(machine.streams)
    }
