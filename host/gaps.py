# SPDX-License-Identifier: Apache-2.0
"""An OUTPUT in a gap of the timetable, where it delays nothing."""

from collections.abc import Sequence

from antevolt.hdl.spec.program import Kind, Operation
from antevolt.hdl.spec.timing import MIN_DELAY

__all__ = ["LEARNING", "insert"]

LEARNING = (Kind.APPLY, Kind.TIMES)


def insert(
    operations: list[Operation],
    issues: list[int],
    op: Operation,
    ready: int,
    takes: int,
    busy: Sequence[tuple[int, int]],
    back: int = MIN_DELAY,
) -> int:
    """Put an OUTPUT in the background among operations with their issues, both of which change.

    ready  its first issue
    takes  cycles from its issue until it is done
    busy   (issue, until) of what reads the output memory, in their order; it is not at work then
    back   cycles from a BACK to what comes behind it, at least

    It comes as early as it can without a change of any other issue, but not behind a FORWARD, whose
    sums are drained in time. Where there is no such place it is the last before what changes
    weights, or END: these alone wait until it is done, and so cycles do not depend on whether
    anything is learned. Returns when it is done.
    """
    end = next(
        (n for n, other in enumerate(operations) if other.kind in (*LEARNING, Kind.END)),
        len(operations),
    )
    place, issue = 0, ready
    for place in range(1, end + 1):
        if operations[place - 1].kind == Kind.FORWARD:
            continue
        behind = back if operations[place - 1].kind == Kind.BACK else MIN_DELAY
        issue = max(issues[place - 1] + behind, ready)
        for start, until in busy:
            if start < issue + takes and issue < until:
                issue = until
        if place < end and issue + MIN_DELAY <= issues[place]:
            break
    late = max([0, *(issue + takes - first for first in issues[end : end + 1])])
    issues[end:] = [each + late for each in issues[end:]]
    operations.insert(place, op)
    issues.insert(place, issue)
    return issue + takes
