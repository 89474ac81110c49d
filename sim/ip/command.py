# SPDX-License-Identifier: Apache-2.0
"""`antevolt export verilog`: the core as a block for other designs."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from antevolt.host.verify_command import machine_of, machine_options
from antevolt.sim.ip.export import export
from antevolt.sim.ip.verilog import FAMILIES

__all__ = ["command"]


@click.command()
@machine_options
@click.option(
    "--family",
    type=click.Choice(list(FAMILIES)),
    default="generic",
    show_default=True,
    help="Whose blocks it is for.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(family: str, out: Path, as_json: bool, **parameters: Any) -> None:
    """Plain Verilog-2005 of the core with AXI4-Stream and AXI4-Lite ports, a C header of its
    registers, an example, and a self-checking testbench."""
    machine, console = machine_of(**parameters), Console(stderr=True)
    with console.status("exporting") as status:
        paths = export(machine, family, out, lambda part: status.update(f"making the {part}"))
    if as_json:
        files = {path.name: path.stat().st_size for path in paths}
        found = {"core": machine.name, "family": family, "folder": str(out), "bytes": files}
        click.echo(json.dumps(found, sort_keys=True))
        return
    for path in paths:
        click.echo(f"{path.stat().st_size:9d}  {path}")
