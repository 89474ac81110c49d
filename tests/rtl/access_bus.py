# SPDX-License-Identifier: Apache-2.0
"""When an access of the bus acts, from what its tap and the memories say."""

from antevolt.hdl.core.tap import REPLY_LATENCY
from antevolt.hdl.lib.ram import Ram

__all__ = ["WRITTEN"]

# a read finds what is there a memory's latency before its reply, and a write acts then, too
WRITTEN = REPLY_LATENCY - Ram.latency
"""Cycles from a write at a tile to the first one in which its memory has the word."""
