# SPDX-License-Identifier: Apache-2.0
"""The moments of one row's weights, beside its gradients."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.core.bundles import bits
from antevolt.hdl.core.tap import Tap
from antevolt.hdl.lib.ram import Ram, memory
from antevolt.hdl.lib.registers import delay
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.moments import WORD
from antevolt.hdl.spec.timing import LEAD

__all__ = ["Moments"]


class Moments(wiring.Component):
    """A word per weight: read, changed in the apply lane, written where it was.

    An APPLY visits each weight once, so that a word is never read while it is changed.

    Members
    -------
    raddr, word : read, LEAD cycles
    data, address, en : write port
    """

    raddr: Any
    word: Any
    data: Any
    address: Any
    en: Any

    def __init__(self, machine: Machine):
        width, places = WORD * machine.moments, 1 + bits(machine.w_depth)
        self.ram = memory(machine, width, 2 * machine.w_depth)
        super().__init__(
            {
                "raddr": In(places),
                "word": Out(width),
                "data": In(width),
                "address": In(places),
                "en": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ram = self.ram  # its ports are joined by `tap`
        m.d.comb += self.word.eq(delay(m, self.ram.rdata, LEAD - Ram.latency, "word"))
        return m

    def tap(self, tap: Tap) -> None:
        """Share the memory with the access bus."""
        tap.join(Region.MOMENTS, self.ram, self.raddr, self.address, self.data, self.en)
