# SPDX-License-Identifier: Apache-2.0
"""Output modes: which words the operation OUTPUT puts out, and when.

OUTPUT reads the same words in the same cycles in every mode; only what leaves the core changes.
The host knows what comes from the flags it sent. Sums move in the modes SUM and ARGMAX only: those
of a valid stream, from zero where it has FIRST. Golden twin: `sim.golden.outlet`.
"""

from enum import IntEnum

__all__ = ["MODE_BITS", "NEEDS_SUMS", "SHIFT_BITS", "OutputMode"]

MODE_BITS = 3  # of the register; what is no mode is NONE
SHIFT_BITS = 5


class OutputMode(IntEnum):
    """Of the register OUTPUT_MODE."""

    EVERY = 0  # all streams, in every step that completes OUTPUT_EVERY steps
    LAST = 1  # a stream that is VALID and LAST
    SUM = 2  # likewise: the sums since FIRST, shifted down by OUTPUT_SHIFT, saturated
    ARGMAX = 3  # likewise, one word: the number of the largest sum, the lowest of equals
    NONE = 4


NEEDS_SUMS = (OutputMode.SUM, OutputMode.ARGMAX)
"""Modes of cores with sums; others put out nothing in these."""
