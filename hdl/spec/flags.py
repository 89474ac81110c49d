# SPDX-License-Identifier: Apache-2.0
"""Flags that every stream carries at every step, and the payloads of the stream ports."""

from enum import IntFlag
from typing import Any

__all__ = ["FLAG_BITS", "INPUT_FLAG_BITS", "TARGETED", "Flag", "target_follows"]

FLAG_BITS = 5  # above an output
INPUT_FLAG_BITS = 6  # above an input


class Flag(IntFlag):
    """They travel with the first word of a stream's input, in bits above the word."""

    VALID = 1  # else the stream is frozen: it keeps its state and adds nothing
    FIRST = 2  # start from the zero state: u, v, e, q, and r, r' of the step before, read as zero
    LAST = 4  # last step of a sequence; passed through to the output
    TARGET_VALID = 8  # a target follows; without it the output error is 0 and errors decay
    LEARN = 16  # the stream's products enter the gradient
    TARGET_HELD = 32  # with TARGET_VALID: none follows, the last that followed holds; not put out


TARGETED = int(Flag.VALID | Flag.TARGET_VALID)
"""Both are set where a stream has a target."""


def target_follows(flags: Any) -> Any:
    """Whether a stream's flags, an integer or an array of them, announce words of the port y."""
    return flags & (TARGETED | int(Flag.TARGET_HELD)) == TARGETED
