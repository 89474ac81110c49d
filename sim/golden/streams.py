# SPDX-License-Identifier: Apache-2.0
"""What the flags of one step say about the streams of one context."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from antevolt.hdl.spec.flags import Flag
from antevolt.hdl.spec.formats import Raw

__all__ = ["Streams", "Where", "keep"]

Where = NDArray[np.bool_] | None
"""Streams [S] that a statement holds for; None: it holds for all."""


@dataclass(frozen=True)
class Streams:
    """Of the S streams of a context, one per column.

    valid    whose words are written and whose saturations count
    targeted, learning  of the valid ones; None: all streams
    sent     targeted ones whose target comes with this step, and is not held; None: all streams
    starting  valid streams that read zero for what came before; None: no stream does
    learns   one of the streams learns
    """

    valid: Where
    targeted: Where
    sent: Where
    learning: Where
    starting: Where
    learns: bool

    @classmethod
    def of(cls, flags: Raw) -> "Streams":
        valid = flags & Flag.VALID != 0
        targeted = valid & (flags & Flag.TARGET_VALID != 0)
        sent = targeted & (flags & Flag.TARGET_HELD == 0)
        learning = valid & (flags & Flag.LEARN != 0)
        starting = valid & (flags & Flag.FIRST != 0)
        return cls(
            None if valid.all() else valid,
            None if targeted.all() else targeted,
            None if sent.all() else sent,
            None if learning.all() else learning,
            starting if starting.any() else None,
            bool(learning.any()),
        )


def keep(memory: NDArray[np.float64], values: NDArray[np.floating], streams: Streams) -> None:
    """Write `values` [S, n] of valid streams into `memory` [n, S]."""
    if streams.valid is None:
        memory[...] = values.T
    else:
        np.copyto(memory, values.T, where=streams.valid)
