# SPDX-License-Identifier: Apache-2.0
"""Valid input, changed at random: bytes, and values of JSON."""

import json
import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

__all__ = ["changed_bytes", "changed_json", "changed_value"]

INTERESTING = (b"", b"\0", b"\xff", b"\0\0\0\0", b"\xff" * 8, b"\x80", b"\x7f\xff\xff\xff", b"\r\n")
NUMBERS: tuple[int | float, ...] = (
    *(0, 1, -1, 2, 3, 7, 255, 256, 1000, 65_535, 65_536, 10**6, 2**31, 2**32, 2**63, -(2**63)),
    *(10**30, 10**400, 0.5, -0.0, 1e-9, 1e-320, 1e9, 1e308, -1e308),
    *(float("inf"), float("-inf"), float("nan"), 0.1, 1 / 3),
)
NESTED = re.compile(r'"nested (\d+)"')  # stands for so many lists in each other
TEXTS = ("", "x", "tanh", "gle", "adam", "0", "é", "\ud800", "\0", "A" * 1000, "nan", "../../x")


def changed_bytes(draw: Random, data: bytes, others: Sequence[bytes], changes: int = 4) -> bytes:
    """`data` after up to so many changes; `others`: where pieces come from."""
    for _ in range(1 + int(draw.random() * changes)):
        data = CHANGES[int(draw.random() * len(CHANGES))](draw, data, others)
    return data


def changed_json(draw: Random, text: str, changes: int = 3) -> str:
    """A JSON text with some of its values, names or places changed; JSON still."""
    tree = json.loads(text)
    for _ in range(1 if draw.random() < 0.6 else draw.randint(1, changes)):
        tree = _replaced(draw, tree)
    return NESTED.sub(lambda found: "[" * int(found[1]) + "]" * int(found[1]), json.dumps(tree))


def changed_value(draw: Random, value: Any) -> Any:
    """Another value, like it or not."""
    kind = draw.randrange(8)
    if kind < 2 and isinstance(value, int | float) and not isinstance(value, bool):
        return _near(draw, value)
    if kind < 4:
        return draw.choice(NUMBERS)
    if kind == 4:
        return draw.choice(TEXTS)
    if kind == 5:
        return draw.choice((None, True, False, [], {}, [[]], [0], {"": 0}))
    if kind == 6:
        return [value] * draw.choice((0, 1, 2, 3, 3 if isinstance(value, dict | list) else 300))
    return f"nested {draw.choice((1, 3, 300, 2000))}"


def _near(draw: Random, value: int | float) -> int | float:
    try:
        return draw.choice((value + 1, value - 1, -value, 2 * value, value * 1000, value / 3))
    except OverflowError:
        return 0


def _replaced(draw: Random, tree: Any) -> Any:
    """One place of the tree changed."""
    parent: Any = None
    key: Any = None
    node = tree
    while isinstance(node, dict | list) and node and draw.random() < 0.85:
        parent, key = node, draw.choice(list(node) if isinstance(node, dict) else range(len(node)))
        node = parent[key]
    if parent is None:
        return changed_value(draw, tree)
    kind = draw.randrange(10)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        parent.insert(draw.randrange(len(parent) + 1), node)
    elif kind == 1:
        parent[draw.choice((f"{key}s", "", "size", "inputs", "extra"))] = node
    else:
        parent[key] = changed_value(draw, node)
    return tree


def _place(draw: Random, data: bytes) -> tuple[int, int]:
    """Start and end of a piece, short ones more often."""
    start = int(draw.random() * (len(data) + 1))
    longest = 4 if draw.random() < 0.7 else len(data)
    return start, min(len(data), start + 1 + int(draw.random() * longest))


def _flipped(draw: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = int(draw.random() * len(data))
    byte = data[at] ^ 1 << int(draw.random() * 8)
    return data[:at] + bytes((byte,)) + data[at + 1 :]


def _set(draw: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _place(draw, data)
    return data[:start] + draw.randbytes(end - start if end > start else 1) + data[end:]


def _lost(draw: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _place(draw, data)
    return data[:start] + data[end:]


def _doubled(draw: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _place(draw, data)
    return data[:end] + data[start:]


def _cut(draw: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: int(draw.random() * (len(data) + 1))]


def _put_in(draw: Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = int(draw.random() * (len(data) + 1))
    return data[:at] + INTERESTING[int(draw.random() * len(INTERESTING))] + data[at:]


def _spliced(draw: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = others[int(draw.random() * len(others))]
    return data[: _place(draw, data)[0]] + other[_place(draw, other)[0] :]


CHANGES: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    *(_flipped, _flipped, _flipped, _set, _lost, _doubled, _cut, _put_in, _spliced),
)
