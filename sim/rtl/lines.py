# SPDX-License-Identifier: Apache-2.0
"""Lines to a board whose core only doubles its inputs, by name."""

from collections.abc import Callable

from antevolt.sim.rtl.byte_line import BACK, LARGE
from antevolt.sim.rtl.byte_top import byte_line
from antevolt.sim.rtl.echo_top import line
from antevolt.sim.rtl.fault_campaign import Line

__all__ = ["LINES"]

LINES: dict[str, Callable[[], Line]] = {
    "bytes": byte_line,
    "large": lambda: byte_line(LARGE),
    "back": lambda: byte_line(BACK),
    "bits": line,
}
"""Whole bytes and the least buffers; those of a board; of one that goes back; the bits of bytes."""
