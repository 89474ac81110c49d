# SPDX-License-Identifier: Apache-2.0
"""The clock domain of a design: the board's oscillator through a phase-locked loop."""

from typing import Any

from amaranth.hdl import (
    ClockSignal,
    Const,
    Elaboratable,
    Instance,
    IOValue,
    Module,
    Signal,
)
from amaranth.lib.cdc import ResetSynchronizer

from antevolt.boards.pll import Pll
from antevolt.hdl.spec.errors import BadInput

__all__ = ["Clock"]

FILTER_EDGES = (17, 26, 44, 66, 101)
"""Comparison frequencies, MHz, from which iCE40's loop filter has its next setting."""


class Clock(Elaboratable):
    """Drives the domain `sync` of its parent: `pll.hz`, in reset until the loop has locked.

    reference : the board's clock, a signal of one bit, or the port where the loop sits at its pin
    device : the part's name
    divide : more than 1: there is a domain `link` too, `sync` divided by this, which the reset
        belongs to; that of `sync` is then the parent's

    Raises BadInput for a second clock on another family than ECP5, or one that its loop has not.
    """

    def __init__(self, pll: Pll, reference: Any, device: str, divide: float = 1):
        if divide > 1 and pll.family != "ecp5":
            raise BadInput(f"a second clock is made on an ECP5 only, not on {pll.family}")
        self.pll, self.reference, self.device = pll, reference, device
        self.divide, self.slow = divide, Signal(name="slow")
        self.second = round(pll.output * divide)  # as `pll.output`, of the second
        if self.second != pll.output * divide:
            raise BadInput(f"{divide:g} times the output divider {pll.output} is no whole number")

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fast, locked = Signal(name="clock"), Signal(name="locked")
        make = getattr(self, f"_{self.pll.family}")
        m.submodules.pll = make(fast, locked)
        m.d.comb += ClockSignal().eq(fast)
        apart = self.divide > 1
        if apart:
            m.d.comb += ClockSignal("link").eq(self.slow)
        m.submodules.reset = ResetSynchronizer(~locked, domain="link" if apart else "sync")
        return m

    def _ecp5(self, fast: Signal, locked: Signal) -> Instance:
        pll, second = self.pll, {}
        if self.divide > 1:
            second = {
                "p_CLKOS_DIV": self.second,
                "p_CLKOS_CPHASE": self.second - 1,
                "p_CLKOS_FPHASE": 0,
                "p_CLKOS_ENABLE": "ENABLED",
                "i_ENCLKOS": Const(0, 1),
                "o_CLKOS": self.slow,
            }
        zeros = ("RST", "STDBY", "PLLWAKESYNC", "ENCLKOP")
        phases = ("SEL0", "SEL1", "DIR", "STEP", "LOADREG")
        return Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            p_CLKI_DIV=pll.refer,
            p_CLKFB_DIV=pll.feedback,
            p_CLKOP_DIV=pll.output,
            p_CLKOP_CPHASE=pll.output - 1,
            p_CLKOP_FPHASE=0,
            p_CLKOP_ENABLE="ENABLED",
            p_FEEDBK_PATH="CLKOP",
            i_CLKI=self.reference,
            i_CLKFB=fast,
            o_CLKOP=fast,
            o_LOCK=locked,
            **second,
            **{f"i_{name}": Const(0, 1) for name in zeros},
            **{f"i_PHASE{name}": Const(0, 1) for name in phases},
        )

    def _ice40(self, fast: Signal, locked: Signal) -> Instance:
        pll, compare = self.pll, self.pll.hz * self.pll.output / self.pll.feedback / 1e6
        filter_range = 1 + sum(compare >= edge for edge in FILTER_EDGES)
        pad = isinstance(self.reference, IOValue)
        source = {f"i_{'PACKAGEPIN' if pad else 'REFERENCECLK'}": self.reference}
        return Instance(
            "SB_PLL40_PAD" if pad else "SB_PLL40_CORE",
            p_FEEDBACK_PATH="SIMPLE",
            p_DIVR=Const(pll.refer - 1, 4),
            p_DIVF=Const(pll.feedback - 1, 7),
            p_DIVQ=Const(pll.output.bit_length() - 1, 3),
            p_FILTER_RANGE=Const(filter_range, 3),
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=fast,
            o_LOCK=locked,
            **source,
        )

    def _gowin(self, fast: Signal, locked: Signal) -> Instance:
        pll = self.pll
        # CLKFB stays open: from a constant there nextpnr looks for a clock's way without end
        zeros = {"RESET": 1, "RESET_P": 1, "FBDSEL": 6, "IDSEL": 6, "ODSEL": 6}
        zeros |= {"PSDA": 4, "DUTYDA": 4, "FDLY": 4}
        reference = pll.hz * pll.refer / pll.feedback
        return Instance(
            "rPLL",
            p_DEVICE=self.device,
            p_FCLKIN=f"{reference / 1e6:g}",
            p_IDIV_SEL=pll.refer - 1,
            p_FBDIV_SEL=pll.feedback - 1,
            p_ODIV_SEL=pll.output,
            p_CLKFB_SEL="internal",
            p_DYN_IDIV_SEL="false",
            p_DYN_FBDIV_SEL="false",
            p_DYN_ODIV_SEL="false",
            i_CLKIN=self.reference,
            o_CLKOUT=fast,
            o_LOCK=locked,
            **{f"i_{name}": Const(0, width) for name, width in zeros.items()},
        )

    def _xilinx(self, fast: Signal, locked: Signal) -> Module:
        m, pll = Module(), self.pll
        loop, out = Signal(), Signal()
        m.submodules.mmcm = Instance(
            "PLLE2_BASE",
            p_CLKIN1_PERIOD=1e9 * pll.feedback / (pll.hz * pll.output * pll.refer),
            p_DIVCLK_DIVIDE=pll.refer,
            p_CLKFBOUT_MULT=pll.feedback,
            p_CLKOUT0_DIVIDE=pll.output,
            i_CLKIN1=self.reference,
            i_CLKFBIN=loop,
            i_RST=Const(0),
            i_PWRDWN=Const(0),
            o_CLKFBOUT=loop,
            o_CLKOUT0=out,
            o_LOCKED=locked,
        )
        m.submodules.buffer = Instance("BUFG", i_I=out, o_O=fast)
        return m
