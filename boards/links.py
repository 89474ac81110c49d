# SPDX-License-Identifier: Apache-2.0
"""What the serial link takes by itself, going back and selective.

    python -m antevolt.boards.links

synthesises it for the smallest core, and stores `boards/records/links.json`.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from antevolt.boards.measure import DATA
from antevolt.boards.presets import SMALLEST
from antevolt.boards.synthesis import Architecture, Usage, netlist, usage
from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import write_whole

__all__ = ["FAMILIES", "FILE", "command", "measure", "stored"]

FAMILIES: tuple[Architecture, ...] = ("ecp5", "gowin", "ice40")
FILE = DATA / "links.json"


def measure(architecture: Architecture, selective: bool) -> Usage:
    """The link alone, with the buffers that boards have. Needs the extra `build`."""
    from antevolt.hdl.io.link import Link
    from antevolt.hdl.spec.link import LinkParameters

    link = Link(SMALLEST, LinkParameters(selective=selective))
    with TemporaryDirectory() as name:
        return usage(architecture, netlist(Path(name), link, architecture, apart=False))


def stored() -> dict[str, dict[str, Usage]]:
    """The record: by family, `going back` and `selective`. Raises BadFile."""
    try:
        found = json.loads(FILE.read_text())
        return {
            family: {name: Usage(**values) for name, values in both.items()}
            for family, both in found.items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BadFile(f"{FILE} is no record of links: {error}") from error


@click.command()
def command() -> None:
    """Synthesise the link with either way to send again, and store what it takes."""
    ways = {"going back": False, "selective": True}
    found = {
        family: {name: measure(family, selective).to_dict() for name, selective in ways.items()}
        for family in FAMILIES
    }
    write_whole(FILE, json.dumps(found, indent=1) + "\n")
    click.echo(f"{FILE}: {found}")


if __name__ == "__main__":
    command()
