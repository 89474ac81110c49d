# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Lite registers of the IP core: a window on the access port, and some of its own.

Words have 32 bits and stand at multiples of 4. A memory word of the core has up to 36 bits and goes
through DATA, its high bits through DATA_HIGH. Component: `hdl.io.axi_window`.
"""

from enum import IntEnum
from typing import NamedTuple

__all__ = ["ADDRESS_BITS", "AXI_REGISTERS", "PATIENCE", "AxiRegister", "Status", "markdown"]

ADDRESS_BITS = 6
PATIENCE = 1 << 20
"""Cycles that an access waits for the end of a step, after a reset."""


class AxiRegister(IntEnum):
    """Byte addresses."""

    KIND = 0x00
    STATUS = 0x04
    ADDRESS = 0x08
    DATA_HIGH = 0x0C
    DATA = 0x10
    PATIENCE = 0x14
    REFUSED = 0x18
    PACKET = 0x1C
    RESET = 0x20


class Status(IntEnum):
    """Bits of STATUS."""

    BUSY = 0
    INPUT = 1
    TARGET = 2
    OUTPUT = 3


class Told(NamedTuple):
    """Of a register: its bits, whether a write changes it, and what it is."""

    bits: int
    writable: bool
    about: str


AXI_REGISTERS: dict[AxiRegister, Told] = {
    AxiRegister.KIND: Told(32, False, "what answers: `CORE_KIND` of every core of this version"),
    AxiRegister.STATUS: Told(
        4,
        False,
        "bit 0: a step runs; 1, 2: an input, a target is waiting to be taken; 3: an output is",
    ),
    AxiRegister.ADDRESS: Told(
        28, True, "of a memory word: region, unit (8 bits), index (16); DATA adds 1 to the index"
    ),
    AxiRegister.DATA_HIGH: Told(
        4, True, "bits 35..32 of the next word written to DATA, and of the last one read from it"
    ),
    AxiRegister.DATA: Told(
        32, True, "bits 31..0: a write writes the word at ADDRESS, a read reads it; between steps"
    ),
    AxiRegister.PATIENCE: Told(
        32, True, "cycles that a DATA access waits for the end of a step; 2^20 after a reset"
    ),
    AxiRegister.REFUSED: Told(
        32, True, "DATA accesses that waited longer and answered SLVERR, without effect"
    ),
    AxiRegister.PACKET: Told(
        32, True, "output words per packet, TLAST on its last; 0: TLAST is the flag LAST"
    ),
    AxiRegister.RESET: Told(
        1, True, "writing 1 ends the step and resets the core, as its `rst` does; reads 0"
    ),
}
"""In the order of their addresses."""


def markdown() -> str:
    """The table for the manual."""
    lines = ["| address | register | bits | access | what it is |", "|---|---|---|---|---|"]
    for register, (bits, writable, about) in AXI_REGISTERS.items():
        access = "read, write" if writable else "read"
        cells = f"`0x{int(register):02X}` | `{register.name}` | {bits} | {access} | {about}"
        lines.append(f"| {cells} |")
    return "\n".join(lines) + "\n"
