# SPDX-License-Identifier: Apache-2.0
"""`antevolt devices`: ask every serial port whether a board of antevolt is behind it."""

import json
import re
import sys

import click
from rich.console import Console
from rich.table import Table

from antevolt.host.link.serial_port import Found, devices

__all__ = ["command"]

UNTOLD = re.compile(r"(?:; | \()`antevolt devices`[^;)]*\)?")
"""What helps nobody here: the advice to run this command."""
NO_NAME = ("", "n/a")
"""What the system says of a port of which it knows nothing."""


@click.command("devices")
@click.argument("ports", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(ports: tuple[str, ...], as_json: bool) -> None:
    """Ask PORTS, or all serial ports, who is there. Nothing is reset.

    Exit status: 0 when a board was found, 1 when not.
    """
    console = Console(stderr=True)
    with console.status("asking the ports"):
        found = devices(list(ports) or None)
    if as_json:
        click.echo(json.dumps([_entry(each) for each in found]))
    else:
        _print(found)
    if not any(each.hello for each in found):
        sys.exit(1)


def _print(found: list[Found]) -> None:
    """A table of the boards, and below it what is wrong with the other ports."""
    if any(each.hello for each in found):
        Console(soft_wrap=True).print(_table(found))
    for each in found:
        if each.hello is None:
            about = "" if each.about in NO_NAME else f" ({each.about})"
            click.echo(f"{UNTOLD.sub('', each.problem)}{about}")
    if not found:
        click.echo("no serial port; plug a board in")


def _entry(found: Found) -> dict[str, object]:
    entry: dict[str, object] = {"port": found.port, "about": found.about}
    if found.hello is None:
        return {**entry, "problem": found.problem}
    description = found.hello.description
    return {
        **entry,
        "open": f"serial:{found.port}",
        "build": f"{description.link.build:016x}",
        "core": json.loads(description.machine.to_json()),
        "clock_hz": description.link.clock_hz,
        "fastest_baud": description.link.fastest_baud,
        "program": found.hello.fingerprint,
    }


def _table(found: list[Found]) -> Table:
    table = Table("open", "build", "core", "fastest baud", "program", "port")
    for each in found:
        if each.hello is None:
            continue
        link, machine = each.hello.description.link, each.hello.description.machine
        build = f"{link.build:016x}" if link.build else "not said"
        program = f"{each.hello.fingerprint:08x}" if each.hello.fingerprint else "none known"
        table.add_row(
            f"serial:{each.port}", build, machine.name, str(link.fastest_baud), program, each.about
        )
    return table
