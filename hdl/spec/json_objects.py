# SPDX-License-Identifier: Apache-2.0
"""Objects of JSON that become dataclasses: their keys are checked, errors say where they are."""

import json
from dataclasses import MISSING, fields
from typing import Any

from antevolt.hdl.spec.checks import shown
from antevolt.hdl.spec.errors import BadFile, BadNetwork

__all__ = ["keyed", "parsed", "several"]


def parsed(text: str) -> Any:
    """What the text holds; raises BadFile where it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"not JSON: {error}") from error


def keyed(found: Any, kind: Any, where: str = "") -> dict[str, Any]:
    """The values by key; raises BadFile unless the keys are fields of the dataclass `kind`, and
    those without a default are there.

    where  what messages begin with
    """
    names = [f.name for f in fields(kind)]
    if not isinstance(found, dict):
        raise BadFile(f"{where}found {shown(found)}; expected an object, of {', '.join(names)}")
    if unknown := [shown(key) for key in found if key not in names]:
        raise BadFile(f"{where}there is no {', '.join(unknown)}; the keys are {', '.join(names)}")
    needed = [f.name for f in fields(kind) if f.default is MISSING]
    if missing := [name for name in needed if name not in found]:
        raise BadFile(f"{where}missing: {', '.join(missing)}")
    return found


def several(found: Any, kind: Any, name: str, first: int) -> tuple[Any, ...]:
    """A list of objects as dataclasses; raises BadFile where it is none, or as `keyed` does, and
    BadNetwork for wrong values.

    name   of one of them;  first  its number
    """
    if not isinstance(found, list):
        raise BadFile(f"{name}s: found {shown(found)}; expected a list")
    return tuple(_one(each, kind, f"{name} {k}: ") for k, each in enumerate(found, first))


def _one(found: Any, kind: Any, where: str) -> Any:
    values = keyed(found, kind, where)
    try:
        return kind(**values)
    except BadNetwork as error:
        raise BadNetwork(f"{where}{error}") from error
