# SPDX-License-Identifier: Apache-2.0
"""What a core takes that no host reads: with the demonstration's network and teacher.

    python -m antevolt.boards.sealed

synthesises it for each board that is `hostless`, and stores `boards/records/sealed.json`, one core
for each family.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from antevolt.boards.catalogue import BOARDS
from antevolt.boards.measure import DATA, machine_of
from antevolt.boards.synthesis import Architecture, Usage, netlist, usage
from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.machine import Machine
from antevolt.host.files import write_whole

__all__ = ["FILE", "Sealed", "command", "measure", "stored"]

FILE = DATA / "sealed.json"


@dataclass(frozen=True)
class Sealed:
    """A core with the demonstration in it, and what all of that takes."""

    machine: Machine
    usage: Usage


def measure(architecture: Architecture, machine: Machine) -> Sealed:
    """Needs the extra `build`."""
    from antevolt.boards.demonstration import NETWORK, TEACHER
    from antevolt.boards.standalone import teacher_of
    from antevolt.hdl.alone import Alone
    from antevolt.host.bake import bake

    contents = bake(NETWORK, machine).contents
    design = Alone(machine, contents, teacher_of(TEACHER)(machine, NETWORK))
    with TemporaryDirectory() as name:
        cells = netlist(Path(name), design, architecture, apart=False)
    return Sealed(machine, usage(architecture, cells))


def stored() -> dict[str, Sealed]:
    """The record, by family. Raises BadFile."""
    try:
        found: dict[str, Any] = json.loads(FILE.read_text())
        return {
            family: Sealed(machine_of(one["machine"]), Usage(**one["usage"]))
            for family, one in found.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadFile(f"{FILE} is no record of sealed cores: {error}") from error


@click.command()
def command() -> None:
    """Synthesise the demonstration, and store what it takes."""
    found = {}
    for board in BOARDS.values():
        if not board.hostless:
            continue
        family = board.part.architecture
        one = measure(family, board.machine)
        takes = one.usage.to_dict()
        found[family] = {"machine": json.loads(one.machine.to_json()), "usage": takes}
        click.echo(f"{family}: {takes}")
    write_whole(FILE, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    command()
