# SPDX-License-Identifier: Apache-2.0
"""Values of a description, wherever they come from: of the right type, finite, in range."""

import math
from typing import Any

from antevolt.hdl.spec.errors import BadNetwork

__all__ = ["choice", "flag", "integer", "real"]


def integer(name: str, value: Any, low: int, high: int) -> None:
    """Raises BadNetwork unless it is an integer low..high; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadNetwork(f"{name} is {_shown(value)}; it is an integer, {low} .. {high}")


def real(name: str, value: Any) -> float:
    """The value; raises BadNetwork unless it is a finite number within float64."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise BadNetwork(f"{name} is {_shown(value)}; it must be finite, a number")


def flag(name: str, value: Any) -> None:
    """Raises BadNetwork unless it is true or false."""
    if not isinstance(value, bool):
        raise BadNetwork(f"{name} is {_shown(value)}; it is true or false")


def choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises BadNetwork unless it is one of these texts."""
    if not isinstance(value, str) or value not in choices:
        raise BadNetwork(f"{name} is {_shown(value)}; there are {', '.join(choices)}")


def _shown(value: Any) -> str:
    """Short, whatever it is: the text of a number of a million digits takes its time."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) < 80 else text[:80] + "..."
