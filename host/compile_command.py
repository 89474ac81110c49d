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
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.memory_map import Region
from antevolt.hdl.spec.network import Network, read
from antevolt.hdl.spec.program import Operation
from antevolt.host.compile import Image, compile
from antevolt.host.state import Memory
from antevolt.host.verify_command import machine_of, machine_options

__all__ = ["command", "describe"]


def describe(network: Network, machine: Machine) -> dict[str, Any]:
    """Timetable and memory of a network on a core, or what does not fit and by how much."""
    found: dict[str, Any] = {"core": machine.name, "network": network.fingerprint}
    try:
        image = compile(network, machine)
    except DoesNotFit as error:
        return {
            **found,
            "fits": False,
            "resource": error.resource,
            "need": error.need,
            "limit": error.limit,
            "message": str(error),
        }
    return {
        **found,
        "fits": True,
        "weights": network.weight_count,
        "cycles_learning": image.timetable.cycles_learning,
        "cycles_plain": image.timetable.cycles_plain,
        "eta": image.eta,
        "memory": _memory(image),
        "operations": [_operation(op) for op in image.operations],
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


def _operation(op: Operation) -> dict[str, Any]:
    used = {name: value for name, value in asdict(op).items() if value}
    return {**used, "kind": op.kind.name}


def _print(found: dict[str, Any]) -> None:
    console = Console()
    table = Table("operation", "delay", "operands", title=f"core {found['core']}")
    for number, op in enumerate(found["operations"]):
        kind, delay = op.pop("kind"), op.pop("delay")
        operands = " ".join(f"{name}={value}" for name, value in op.items())
        table.add_row(f"{number} {kind}", str(delay), operands)
    console.print(table)
    memory = Table("memory", "used", "there")
    for name, (used, there) in found["memory"].items():
        memory.add_row(name, str(used), str(there))
    console.print(memory)
    console.print(
        f"fits; {found['weights']} weights; cycles per step: {found['cycles_learning']} learning, "
        f"{found['cycles_plain']} not applying"
    )


@click.command("compile")
@click.option(
    "--network", type=click.Path(path_type=Path), required=True, help="A network's JSON file."
)
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(network: Path, as_json: bool, **core: int) -> None:
    """Print the timetable and the memory use of a network on a core.

    Exit status: 0 it fits, 1 it does not, 2 bad input.
    """
    found = describe(read(network)[0], machine_of(**core))
    if as_json:
        click.echo(json.dumps(found))
    elif found["fits"]:
        _print(found)
    else:
        click.echo(found["message"])
    if not found["fits"]:
        sys.exit(1)
