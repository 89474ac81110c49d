# SPDX-License-Identifier: Apache-2.0
"""What the files of a run's folder must hold before anybody draws it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadFile, BadNetwork
from antevolt.hdl.spec.network import Network
from antevolt.host import checkpoint
from antevolt.host.checkpoint import State

__all__ = ["checked_about", "checked_lines", "checked_state"]

KINDS: dict[str, type] = {
    **dict.fromkeys(("network", "data", "began", "network_file", "device"), str),
    **dict.fromkeys(("implementation",), str),
    **dict.fromkeys(("core", "versions"), dict),
    **dict.fromkeys(("taps", "tapped"), list),
    **dict.fromkeys(("steps", "seed", "tap_every"), int),
    "learn": bool,
}
"""What stands in run.json, by type."""
LINK = ("out", "into", "baud", "fullest", "window", "resent", "bad")
HUGE, LONGEST = 1e300, 1 << 60
WEIGHTS = (".weight", ".bias", ".backward")
REGISTERS = ("register.step", "register.seed")


def checked_about(path: Path, kind: str) -> dict[str, Any]:
    """run.json; raises BadFile where it is none of this `kind`, or lacks what is read of it."""
    try:
        about = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(f"{path.parent} holds no run: {error}") from error
    if not isinstance(about, dict) or about.get("kind") != kind:
        raise BadFile(f"{path} is of something else, or of another version of antevolt")
    wrong = [name for name, type_ in KINDS.items() if not isinstance(about.get(name), type_)]
    texts = [text for name in ("taps", "tapped") if name not in wrong for text in about[name]]
    if (
        wrong
        or not 1 <= about["tap_every"] < LONGEST
        or not all(isinstance(text, str) for text in texts)
    ):
        raise BadFile(f"{path} lacks, or has wrong: {', '.join(wrong) or 'the taps'}")
    return about


def checked_lines(
    lines: list[dict[str, Any]], path: Path, populations: int
) -> list[dict[str, Any]]:
    """The lines of a log; raises BadFile where one is not as `Progress.to_dict` makes them."""
    if not all(_whole(line, populations) for line in lines):
        raise BadFile(f"{path} has a line that no run has written")
    return lines


def checked_state(path: Path, network: Network) -> State:
    """A state of this network, of a start or a checkpoint; raises BadFile like `checkpoint.read`,
    and where a weight, a register or the outputs are missing or have another shape."""
    state = checkpoint.read(path, network, None)
    own = {name: name.removeprefix("projection.") for name in state if name.endswith(WEIGHTS)}
    try:
        network.check_parameters({short: state[name] for name, short in own.items()})
    except BadNetwork as error:
        raise BadFile(f"{path} is no state of a run: {error}") from error
    wrong = [name for name in REGISTERS if not _counts(state.get(name))]
    output = state.get("output")
    if output is None or output.ndim != 2 or not len(output) or output.shape[1] != network.outputs:
        wrong.append("output")
    if wrong:
        raise BadFile(f"{path} lacks, or has wrong: {', '.join(wrong)}")
    return state


def _whole(line: dict[str, Any], populations: int) -> bool:
    energy, link = line.get("energy"), line.get("link")
    numbers = [line.get("steps_per_second"), line.get("cost")]
    numbers += [v for v in (line.get("loss"), line.get("accuracy")) if v is not None]
    for name in ("saturated", "counters"):
        counts = line.get(name)
        if not isinstance(counts, dict):
            return False
        numbers += counts.values()
    if not isinstance(energy, list) or len(energy) != populations:
        return False
    numbers += energy
    if link is not None:
        if not isinstance(link, dict):
            return False
        numbers += [link.get(name) for name in LINK]
    return all(_number(number) for number in numbers)


def _counts(value: NDArray[np.generic] | None) -> bool:
    """It holds one number that is none below 0."""
    if value is None or value.shape != (1,) or value.dtype.kind not in "iu":
        return False
    return int(value[0]) >= 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < HUGE
