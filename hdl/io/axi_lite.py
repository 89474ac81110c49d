# SPDX-License-Identifier: Apache-2.0
"""AXI4-Lite to one register access at a time."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from antevolt.hdl.spec.axi_map import ADDRESS_BITS

__all__ = ["OKAY", "PORTS", "SLVERR", "AxiLite"]

DATA, STROBES = 32, 4
OKAY, SLVERR = 0, 2
"""Responses."""

PORTS: dict[str, Any] = {
    **{"awaddr": In(ADDRESS_BITS), "awprot": In(3), "awvalid": In(1), "awready": Out(1)},
    **{"wdata": In(DATA), "wstrb": In(STROBES), "wvalid": In(1), "wready": Out(1)},
    **{"bresp": Out(2), "bvalid": Out(1), "bready": In(1)},
    **{"araddr": In(ADDRESS_BITS), "arprot": In(3), "arvalid": In(1), "arready": Out(1)},
    **{"rdata": Out(DATA), "rresp": Out(2), "rvalid": Out(1), "rready": In(1)},
}
"""The bus, without its prefix; AWPROT and ARPROT are not looked at."""


class AxiLite(wiring.Component):
    """Holds an address and data of each direction, and serves reads and writes in turns.

    Members
    -------
    those of `PORTS`
    active : an access is at hand, until `done`;  write : which it is
    address, data : of the access
    done, error, reply : its end; SLVERR; the word read

    Only whole words can be written: of the strobes, all (a write), none (no effect) or some (SLVERR
    and no effect). All outputs but `active` come from registers. Nothing is answered before its
    request was taken; an access takes 4 cycles and those of the register.
    """

    active: Any
    write: Any
    address: Any
    data: Any
    done: Any
    error: Any
    reply: Any

    def __init__(self) -> None:
        super().__init__(
            {
                **PORTS,
                **{"active": Out(1), "write": Out(1), "address": Out(ADDRESS_BITS)},
                **{"data": Out(DATA), "done": In(1), "error": In(1), "reply": In(DATA)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        awake, held = Signal(), {name: Signal(name=f"held_{name}") for name in ("aw", "w", "ar")}
        to, written, strobes = Signal(ADDRESS_BITS), Signal(DATA), Signal(STROBES)
        source = Signal(ADDRESS_BITS)
        m.d.sync += awake.eq(1)  # ready is low in a reset
        for name, full in held.items():
            ready, valid = getattr(self, f"{name}ready"), getattr(self, f"{name}valid")
            m.d.comb += ready.eq(awake & ~full)
            with m.If(valid & ready):
                m.d.sync += full.eq(1)
        with m.If(~held["aw"]):
            m.d.sync += to.eq(self.awaddr)
        with m.If(~held["w"]):
            m.d.sync += [written.eq(self.wdata), strobes.eq(self.wstrb)]
        with m.If(~held["ar"]):
            m.d.sync += source.eq(self.araddr)
        writes, reads = held["aw"] & held["w"] & ~self.bvalid, held["ar"] & ~self.rvalid
        with m.If(self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(self.rready):
            m.d.sync += self.rvalid.eq(0)
        m.d.comb += [self.address.eq(Mux(self.write, to, source)), self.data.eq(written)]
        response = Mux(self.error, SLVERR, OKAY)
        with m.FSM():
            with m.State("REST"):
                m.d.sync += self.write.eq(writes & ~(reads & self.write))
                with m.If(writes | reads):
                    m.next = "SERVE"
            with m.State("SERVE"):
                whole = strobes.all()
                m.d.comb += self.active.eq(~self.write | whole)
                with m.If(self.write & (self.done | ~whole)):
                    m.d.sync += [held["aw"].eq(0), held["w"].eq(0), self.bvalid.eq(1)]
                    partial = Mux(strobes.any(), SLVERR, OKAY)
                    m.d.sync += self.bresp.eq(Mux(whole, response, partial))
                    m.next = "REST"
                with m.If(~self.write & self.done):
                    m.d.sync += [held["ar"].eq(0), self.rvalid.eq(1)]
                    m.d.sync += [self.rdata.eq(self.reply), self.rresp.eq(response)]
                    m.next = "REST"
        return m
