# SPDX-License-Identifier: Apache-2.0
"""What a board file says: part, pins, clock, transport, and the core that fills the part."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from antevolt.boards.parts import PARTS, Part
from antevolt.boards.pll import Pll, find
from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.link import LinkParameters
from antevolt.hdl.spec.machine import Machine

__all__ = ["Board"]


@dataclass(frozen=True)
class Board:
    """A board and its preset.

    platform  `module:class` of Amaranth's platform, which knows the pins
    crystal   the board's oscillator, Hz
    machine   the core
    hz        the core's clock
    baud      fastest rate of the serial line
    uart      resource of the serial line: `uart` of the platform, or our own on free pins
    loader    the board's name for openFPGALoader
    adapter   what the serial line needs; empty: the board has it
    lacks     what the preset leaves out, and why
    vendor    the vendor's tool that makes the bitstream; empty: the open tools do
    divide    the link has a clock of its own, the core's divided by this; 1: both have the same
    selective the link keeps frames behind a gap; without, it takes fewer cells and goes back
    hostless  the part has no room for the link: its bitstreams have a network and a teacher in them
    placer    options of nextpnr's placer
    """

    name: str
    title: str
    part_name: str
    platform: str
    crystal: float
    machine: Machine
    hz: float
    baud: int
    loader: str
    uart: str = "uart"
    adapter: str = ""
    lacks: str = ""
    vendor: str = ""
    divide: float = 1
    selective: bool = True
    hostless: bool = False
    placer: tuple[str, ...] = ()

    @property
    def part(self) -> Part:
        return PARTS[self.part_name]

    @property
    def pll(self) -> Pll:
        return find(self.part.family, self.crystal, self.hz)

    def link(self, build: int = 0) -> LinkParameters:
        """Parameters of the serial link; `build` is the build's id."""
        clock = round(self.pll.hz / self.divide)
        return LinkParameters(
            clock_hz=clock, fastest_baud=self.baud, build=build, selective=self.selective
        )

    @property
    def linked(self) -> bool:
        """A serial line to a host is in the design."""
        return not self.hostless

    @property
    def told(self) -> dict[str, Any]:
        """What a report says of a network that is in the design."""
        return {}

    def identity(self) -> str:
        """All that this board adds to what a build is made from."""
        return repr(self)

    def design(self, build: int = 0) -> Any:
        """What is to be elaborated for its platform. Needs the extra `build`.

        Raises BadInput for a board that is `hostless`, which needs a network and a teacher.
        """
        if self.hostless:
            raise BadInput(
                f"{self.part_name} of {self.name} has no room for the link to a host: build it "
                "with a network and a teacher in it (--network, --teacher; docs/standalone.md)"
            )
        from antevolt.boards.shell import Shell

        return Shell(self, build)

    def open_platform(self) -> Any:
        """Amaranth's platform, told whose blocks to use. Needs the extra `build`."""
        from antevolt.boards.synthesis import blocks

        module, kind = self.platform.split(":")
        platform = getattr(import_module(module), kind)()
        platform.blocks = blocks(self.part.architecture)
        return platform
