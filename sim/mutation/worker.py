# SPDX-License-Identifier: Apache-2.0
"""One mutant in a process of its own: it may hang, crash or change the model under test.

    python -m antevolt.sim.mutation.worker netlist LIBRARY REFERENCE NUMBER
    python -m antevolt.sim.mutation.worker model REFERENCE SHORT NUMBER

compare with the observations kept in REFERENCE (SHORT: of a core of short words) and print a
verdict as JSON: `kind` is `equal`, `output`, `memory`, `cycles`, `deadline` or `refused`, `where`
the first difference.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import AntevoltError, BadInput, DeadlineExceeded
from antevolt.sim.mutation.patch import MUTANTS, install

__all__ = ["main"]

DEADLINE = 300.0  # seconds for one call


def main(arguments: list[str]) -> int:
    """Print the verdict; the exit status is 0 unless the process dies."""
    kind, *rest = arguments
    try:
        if kind == "model":
            if number := int(rest[2]):
                install(MUTANTS[number - 1])
            verdict = _model(Path(rest[0]), Path(rest[1]))
        else:
            verdict = _netlist(Path(rest[0]), Path(rest[1]), int(rest[2]))
    except DeadlineExceeded as error:
        verdict = {"kind": "deadline", "where": str(error)}
    except AntevoltError as error:
        verdict = {"kind": "refused", "where": str(error)}
    print(json.dumps(verdict))
    return 0


def _model(reference: Path, short: Path) -> dict[str, str]:
    # after the change of the sources
    from antevolt.sim.mutation.machines import MACHINE, SHORT
    from antevolt.sim.mutation.short import observe, observe_short
    from antevolt.sim.mutation.subject import Model

    verdict = _compare(observe(Model(MACHINE)), reference)
    if verdict["where"]:
        return verdict
    return _compare(observe_short(Model(SHORT)), short)


def _netlist(library: Path, reference: Path, number: int) -> dict[str, str]:
    from antevolt.sim.mutation.machines import MACHINE
    from antevolt.sim.mutation.netlist_subject import NetlistSubject
    from antevolt.sim.mutation.short import observe
    from antevolt.sim.mutation.subject import PATIENCE

    subject = NetlistSubject(MACHINE, library, number, PATIENCE, DEADLINE)
    return _compare(observe(subject), reference)


def _compare(observations: Iterable[Any], reference: Path) -> dict[str, str]:
    from antevolt.sim.mutation.subject import load_kept

    known = load_kept(reference)
    for seen in observations:
        expected = known.pop(seen.name, None)
        if expected is None:
            raise BadInput(f"there is no reference for {seen.name!r}; make it anew")
        if not np.array_equal(expected, seen.numbers):
            return {"kind": seen.kind, "where": f"{seen.name}: {_first(expected, seen.numbers)}"}
    return {"kind": "equal", "where": ""}


def _first(expected: NDArray[np.int64], seen: NDArray[np.int64]) -> str:
    if expected.shape != seen.shape:
        return f"{seen.size} words, not {expected.size}"
    at = np.argwhere(expected != seen)
    place = tuple(int(i) for i in at[0])
    text = ", ".join(map(str, place))
    return f"{len(at)} of {seen.size} differ, first [{text}]: {seen[place]}, not {expected[place]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
