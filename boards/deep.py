# SPDX-License-Identifier: Apache-2.0
"""The core for the largest network of the literature on an ECP5-85F, synthesised with its link.

    python -m antevolt.boards.deep

takes minutes, and stores what it found in `boards/records/deep-ecp5.json`. The resource model is
not fitted to it: it is what the model's estimate is held against.
"""

import json
from dataclasses import asdict

import click

from antevolt.boards.measure import DATA, Record, machine_of, measure
from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.machine import Machine
from antevolt.host.files import write_whole

__all__ = ["MACHINE", "command", "stored"]

FILE = DATA / "deep-ecp5.json"
MACHINE = Machine(
    rows=23,
    streams=2,
    contexts=2,
    multipliers=3,
    tile_rows=4,
    w_depth=1024,
    r_depth=2048,
    state_depth=2048,
    q_depth=128,
    io_depth=1024,
    program_depth=512,
    sums=False,
    carry=True,
)
"""Four streams; 23 rows, so that a row's weights fill two block RAMs, its sums four."""


def stored() -> Record | None:
    """The synthesis on record, None where there is none of this machine. Raises BadFile."""
    if not FILE.exists():
        return None
    try:
        values = json.loads(FILE.read_text())
        found = Record("ecp5", machine_of(values.pop("machine")), **values)
    except (ValueError, TypeError) as error:
        raise BadFile(f"{FILE} is no record of a synthesis: {error}") from error
    return found if found.machine == MACHINE else None


@click.command()
def command() -> None:
    """Synthesise the core."""
    record = measure("ecp5", MACHINE, link=True)
    values = asdict(record)
    del values["architecture"]
    write_whole(FILE, json.dumps(values, sort_keys=True) + "\n")
    click.echo(f"{MACHINE.name}: {record.usage.to_dict()}, {record.seconds} s")


if __name__ == "__main__":
    command()
