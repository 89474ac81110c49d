# SPDX-License-Identifier: Apache-2.0
"""How to get the packages that only some commands need: the extras of `pyproject.toml`."""

__all__ = ["install"]


def install(*extras: str) -> str:
    """What brings them. There is no published package: it works in a clone alone."""
    return f"pip install -e '.[{','.join(extras)}]' in the clone of antevolt"
