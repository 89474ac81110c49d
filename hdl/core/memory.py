# SPDX-License-Identifier: Apache-2.0
"""The memories of a core: block RAMs, and LUTs for those that `Machine.lut_depth` allows."""

from antevolt.hdl.lib.ram import Ram
from antevolt.hdl.spec.machine import Machine

__all__ = ["memory"]


def memory(machine: Machine, width: int, depth: int) -> Ram:
    """A memory of `depth` words of `width` bits, as this core makes it."""
    return Ram(width, depth, machine.lut_depth)
