# SPDX-License-Identifier: Apache-2.0
"""`antevolt export verilog`: the core as a block for other designs."""

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import read
from antevolt.host.bake import bake
from antevolt.host.core_options import machine_of, machine_options
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
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="A network's JSON file, to be in the core's memories at power-up.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    help="A file of Device.save: what that network has learned so far.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the files.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(
    family: str,
    network: Path | None,
    state: Path | None,
    out: Path,
    as_json: bool,
    **parameters: Any,
) -> None:
    """Plain Verilog-2005 of the core with AXI4-Stream and AXI4-Lite ports, a C header of its
    registers, an example, and a self-checking testbench."""
    machine, console = machine_of(**parameters), Console(stderr=True)
    baked = None
    if network is not None:
        found, weights = read(network)
        baked = bake(found, machine, weights, state)
    elif state is not None:
        raise BadInput("--state goes with a network; give it with --network")
    with console.status("exporting") as status:

        def tell(part: str) -> None:
            status.update(f"making the {part}")

        paths = export(machine, family, out, tell, baked)
    if as_json:
        files = {path.name: path.stat().st_size for path in paths}
        about: dict[str, Any] = {"core": machine.name, "family": family, "folder": str(out)}
        about |= {"bytes": files} | ({"baked": baked.to_dict()} if baked is not None else {})
        click.echo(json.dumps(about, sort_keys=True))
        return
    for path in paths:
        click.echo(f"{path.stat().st_size:9d}  {path}")
