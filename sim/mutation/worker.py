# SPDX-License-Identifier: Apache-2.0
"""One mutant in a process of its own: it may hang, crash or change the model under test.

    python -m antevolt.sim.mutation.worker netlist LIBRARY REFERENCE NUMBER
    python -m antevolt.sim.mutation.worker model REFERENCE NUMBER

compare with the observations kept in REFERENCE and print a verdict as JSON: `kind` is `equal`,
`output`, `memory`, `cycles`, `deadline` or `surplus`, `where` the first difference.
"""

import json
import sys
from pathlib import Path

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
            reference, number = Path(rest[0]), int(rest[1])
            if number:
                install(MUTANTS[number - 1])
            verdict = _model(reference)
        else:
            verdict = _netlist(Path(rest[0]), Path(rest[1]), int(rest[2]))
    except DeadlineExceeded as error:
        verdict = {"kind": "deadline", "where": str(error)}
    except AntevoltError as error:
        verdict = {"kind": "refused", "where": str(error)}
    print(json.dumps(verdict))
    return 0


def _model(reference: Path) -> dict[str, str]:
    from antevolt.sim.mutation.short import MACHINE, Model  # after the change of the sources

    return _compare(Model(MACHINE), reference)


def _netlist(library: Path, reference: Path, number: int) -> dict[str, str]:
    from antevolt.sim.mutation.netlist_subject import NetlistSubject
    from antevolt.sim.mutation.short import PATIENCE

    return _compare(NetlistSubject(library, number, PATIENCE, DEADLINE), reference)


def _compare(subject: object, reference: Path) -> dict[str, str]:
    from antevolt.sim.mutation.short import load_kept, observe

    known = load_kept(reference)
    for seen in observe(subject):  # type: ignore[arg-type]
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
