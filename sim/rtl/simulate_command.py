# SPDX-License-Identifier: Apache-2.0
"""`antevolt simulate --pty`: a simulated board that looks like one on a serial port."""

import time
from typing import Any

import click
from rich.console import Console

from antevolt.hdl.spec.link import LinkParameters
from antevolt.host.core_options import machine_of, machine_options
from antevolt.host.finite import POSITIVE
from antevolt.sim.rtl.line import SimulatedLine, build_top
from antevolt.sim.rtl.pty import PtyBoard

__all__ = ["SLOW", "command"]

SLOW = LinkParameters(1_843_200, 115_200, 460_800, selective=True)
"""A clock that a simulator nearly keeps up with: 16 and 4 clocks per bit."""


@click.command("simulate")
@click.option("--pty", is_flag=True, help="Put the board behind a pseudo-terminal.")
@click.option("--seconds", type=POSITIVE, help="End after so many seconds; default: at Ctrl-C.")
@machine_options
def command(pty: bool, seconds: float | None, **core: Any) -> None:
    """Simulate a whole board, its serial line included, for other programs to open.

    Prints the name to open it with, as serial:PORT.
    """
    if not pty:
        raise click.UsageError('say --pty; without it, open("rtl:top") in Python is the board')
    machine = machine_of(**core)
    board = PtyBoard(SimulatedLine(build_top(machine, SLOW), SLOW))
    click.echo(f"serial:{board.path}")
    end = None if seconds is None else time.monotonic() + seconds
    try:
        with Console(stderr=True).status(f"core {machine.name} on {board.path}; Ctrl-C ends it"):
            board.serve(lambda: end is not None and time.monotonic() > end)
    except KeyboardInterrupt:
        pass
    finally:
        board.close()
