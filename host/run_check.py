# SPDX-License-Identifier: Apache-2.0
"""What the JSON files of a run's folder must say before anybody draws it."""

import json
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import BadFile

__all__ = ["checked_about", "checked_lines"]

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


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < HUGE
