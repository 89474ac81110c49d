# SPDX-License-Identifier: Apache-2.0
"""The options of commands that say what core is meant."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from antevolt.hdl.spec.errors import BadFile, BadInput
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.machine import Machine

__all__ = ["machine_for", "machine_of", "machine_options", "read_core"]

PORTS = ("serial:", "tcp:")
"""How the names of boards begin whose core nobody can choose."""
Command = Callable[..., Any]


def machine_of(board: str | None, core: Path | None, word: int, **parameters: Any) -> Machine:
    """A machine from the options of a command: the core of a board's preset, that of a file, or one
    of these parameters. Raises BadInput where there is none, and where more than one is meant;
    BadFile like `read_core`."""
    if board is None and core is None:
        try:
            formats = Formats(word=word)
            return Machine(formats=formats, phi_log2=formats.phi_log2, **parameters)
        except ValueError as error:
            raise BadInput(f"no such core: {error}") from error
    chosen = "core" if board is None else "board"
    if others := _given({"board", "core", "word", *parameters} - {chosen}):
        raise BadInput(f"--{chosen} says all of the core; leave out {others}")
    if core is not None:
        return read_core(core)
    from antevolt.boards.catalogue import board as board_of  # above this layer

    return board_of(str(board)).machine


def machine_for(device: str, **core: Any) -> Machine | None:
    """The machine to open a device with; None for a board on a port, which says itself what it is:
    raises BadInput where the command line has an option of the core."""
    if not device.startswith(PORTS):
        return machine_of(**core)
    if options := _given(core):
        raise BadInput(f"{device} has the core that was built for it; leave out {options}")
    return None


def read_core(path: Path) -> Machine:
    """The core of a file that `Machine.to_json` was written to; raises BadFile."""
    try:
        return Machine.from_json(path.read_text())
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise BadFile(f"{path} describes no core: {error}") from error


def machine_options(command: Command) -> Command:
    """The options `machine_of` takes."""
    for option in (
        click.option(
            "--core",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="All of the core, as Machine.to_json writes it.",
        ),
        click.option("--board", metavar="BOARD", help="The core of this board's preset."),
        click.option("--carry", is_flag=True, help="An APPLY may carry gradient sums on."),
        click.option("--moments", default=0, show_default=True, help="Moments per weight, 0..2."),
        click.option("--w-depth", default=512, show_default=True, help="Weight pairs per row."),
        click.option("--word", default=18, show_default=True, help="Word length, 8, 10, .. 18."),
        click.option("--multipliers", default=1, show_default=True, help="M, per filter unit."),
        click.option("--filters", default=1, show_default=True, help="F, filters per column."),
        click.option("--contexts", default=1, show_default=True, help="T of the core."),
        click.option("--streams", default=1, show_default=True, help="S of the core."),
        click.option("--rows", default=1, show_default=True, help="R of the core."),
    ):
        command = option(command)
    return command


def _given(names: Iterable[str]) -> str:
    """Those of these options that the command line has, in the order in which help lists them."""
    context = click.get_current_context()
    source = context.get_parameter_source
    ordered = [str(option.name) for option in context.command.params if option.name in names]
    given = [name for name in ordered if source(name) is not ParameterSource.DEFAULT]
    return ", ".join("--" + name.replace("_", "-") for name in given)
