# SPDX-License-Identifier: Apache-2.0
"""Values of a description, wherever they come from: of the right type, finite, in range."""

import math
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.errors import BadNetwork

__all__ = ["array", "choice", "flag", "integer", "real", "real_array", "several", "shown", "typed"]


def integer(name: str, value: Any, low: int, high: int) -> None:
    """Raises BadNetwork unless it is an integer low..high; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise BadNetwork(f"{name} is {shown(value)}; it is an integer, {low} .. {high}")


def real(name: str, value: Any) -> float:
    """The value; raises BadNetwork unless it is a finite number within float64."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass
    raise BadNetwork(f"{name} is {shown(value)}; it must be finite, a number")


def flag(name: str, value: Any) -> None:
    """Raises BadNetwork unless it is true or false."""
    if not isinstance(value, bool):
        raise BadNetwork(f"{name} is {shown(value)}; it is true or false")


def choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raises BadNetwork unless it is one of these texts."""
    if not isinstance(value, str) or value not in choices:
        raise BadNetwork(f"{name} is {shown(value)}; there are {', '.join(choices)}")


def typed(described: Any) -> None:
    """Raises ValueError unless each field of a dataclass has the type it is declared with."""
    for each in fields(described):
        value, kind = getattr(described, each.name), cast(type, each.type)
        if type(value) is not kind:  # true is no number
            raise ValueError(f"{each.name} is {value!r}; it is of type {kind.__name__}")


def real_array(name: str, value: Any, wants: str) -> NDArray[Any]:
    """`value` as an array of booleans, integers or reals; raises BadNetwork for anything else.

    wants  what was expected, for the message
    """
    try:
        found = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise BadNetwork(f"{name} is not an array ({error}); expected {wants}") from error
    if found.dtype.kind not in "biuf":
        raise BadNetwork(f"{name} has dtype {found.dtype}; expected {wants} of real numbers")
    return found


def array(name: str, value: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """A float64 copy, row after row; raises BadNetwork unless it is an array of this shape, of
    finite real numbers."""
    found = real_array(name, value, str(shape))
    if found.shape != shape:
        raise BadNetwork(f"{name} has shape {found.shape}; this network has {shape}")
    copy = np.array(found, dtype=np.float64, order="C")
    if not np.isfinite(copy).all():
        raise BadNetwork(f"{name} holds NaN or infinity")
    return copy


def several(name: str, value: Any, kind: type, first: int) -> tuple[Any, ...]:
    """The values as a tuple; raises BadNetwork unless all are of this kind.

    name   of one of them;  first  its number
    """
    if not isinstance(value, Iterable):
        raise BadNetwork(f"{name}s is {shown(value)}; it is a tuple of {kind.__name__}")
    found = tuple(value)
    for k, each in enumerate(found, first):
        if not isinstance(each, kind):
            raise BadNetwork(f"{name} {k} is {shown(each)}; it is a {kind.__name__}")
    return found


def shown(value: Any) -> str:
    """Short, whatever it is: the text of a number of a million digits takes its time."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) < 80 else text[:80] + "..."
