# SPDX-License-Identifier: Apache-2.0
"""`antevolt compile`: what a network takes of a core, and how long its steps are."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from antevolt.hdl.spec.errors import DoesNotFit
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import read
from antevolt.hdl.spec.program import Operation
from antevolt.host.compile import Image, compile
from antevolt.host.core_options import machine_of, machine_options
from antevolt.host.operands import operands
from antevolt.host.state import Memory

__all__ = ["command"]


def _refused(error: DoesNotFit) -> dict[str, Any]:
    """What does not fit, and by how much."""
    return {
        "fits": False,
        "resource": error.resource,
        "need": error.need,
        "limit": error.limit,
        "message": str(error),
    }


def _described(image: Image) -> dict[str, Any]:
    """Timetable and memory of a network on a core."""
    issues = zip(image.operations, image.timetable.issues, strict=True)
    return {
        "fits": True,
        "weights": image.network.weight_count,
        "cycles_learning": image.timetable.cycles_learning,
        "cycles_plain": image.timetable.cycles_plain,
        "eta": image.eta,
        "memory": _memory(image),
        "operations": [_operation(op, issued) for op, issued in issues],
    }


def _memory(image: Image) -> dict[str, tuple[int, int]]:
    """Words up to the last that is used, and words there are, per row or column."""
    machine = image.machine
    last: dict[Region, int] = {}
    for place in Memory(image.network, machine, image.layout).places.values():
        last[place.region] = max(last.get(place.region, 0), int(place.index.max()) + 1)
    return {
        "weight pairs per row": (last[Region.WEIGHTS], machine.w_depth),
        "activity pairs per column": (last[Region.RATES], machine.r_depth),
        "neurons per column": (last[Region.Q], machine.state_depth),
        "outputs per column": (last[Region.OUTPUT], machine.io_depth),
        "operations": (len(image.operations), machine.program_depth),
        "activation tables": (len(image.layout.tables), machine.tables),
    }


def _operation(op: Operation, issued: int) -> dict[str, Any]:
    used = {name: value for name, value in asdict(op).items() if value}
    return {**used, "kind": op.kind.name, "issued": issued}


def _print(image: Image) -> None:
    console, timetable = Console(), image.timetable
    table = Table("issued at cycle", "operation", "operands", title=f"core {image.machine.name}")
    for op, issued in zip(image.operations, timetable.issues, strict=True):
        said = " ".join(f"{name}={value}" for name, value in operands(op).items())
        table.add_row(str(issued), op.kind.name, said)
    console.print(table)
    memory = Table("memory", "used", "there")
    for name, (used, there) in _memory(image).items():
        memory.add_row(name, str(used), str(there))
    console.print(memory)
    console.print(
        f"fits; {image.network.weight_count} weights; cycles per step: "
        f"{timetable.cycles_learning} learning, {timetable.cycles_plain} not applying"
    )


@click.command("compile")
@click.option(
    "--network", type=click.Path(path_type=Path), required=True, help="A network's JSON file."
)
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(network: Path, as_json: bool, **core: Any) -> None:
    """Print the timetable and the memory use of a network on a core.

    Issues are counted without the cycles in which INPUT, TARGET and OUTPUT move their words; the
    cycles per step have them.

    Exit status: 0 it fits, 1 it does not, 2 bad input.
    """
    described, machine = read(network)[0], machine_of(**core)
    about = {"core": machine.name, "network": described.fingerprint}
    try:
        image = compile(described, machine)
    except DoesNotFit as error:
        click.echo(json.dumps(about | _refused(error)) if as_json else str(error))
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(about | _described(image)))
    else:
        _print(image)
