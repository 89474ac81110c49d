# SPDX-License-Identifier: Apache-2.0
"""Flags that every stream carries at every step, and the payloads of the stream ports."""

from enum import IntFlag

__all__ = ["FLAG_BITS", "Flag"]

FLAG_BITS = 5


class Flag(IntFlag):
    """They travel with the first word of a stream's input, in bits above the word."""

    VALID = 1  # else the stream is frozen: it keeps its state and adds nothing
    FIRST = 2  # start from the zero state: u, v, e, q, and r, r' of the step before, read as zero
    LAST = 4  # last step of a sequence; passed through to the output
    TARGET_VALID = 8  # a target follows; without it the output error is 0 and errors decay
    LEARN = 16  # the stream's products enter the gradient
