# SPDX-License-Identifier: Apache-2.0
"""Everything that `docs/fit.md` tells: all syntheses that are missing, and all presets placed.

    python -m antevolt.boards.all --seeds 3

Takes hours. Each result is kept as soon as it is there; what has a record of this very content is
passed over, so that it can be stopped and taken up again.
"""

from typing import get_args

import click

from antevolt.boards.build import build, identify
from antevolt.boards.catalogue import BOARDS
from antevolt.boards.demonstration import demonstrated
from antevolt.boards.measure import campaign, keep, measure, records
from antevolt.boards.progress import Progress
from antevolt.boards.results import clock, stored
from antevolt.boards.results import keep as record
from antevolt.boards.synthesis import Architecture
from antevolt.hdl.spec.errors import AntevoltError

__all__ = ["command"]


def syntheses() -> None:
    """The cores that the resource model is fitted to."""
    for architecture in get_args(Architecture):
        done = {(r.machine, r.link) for r in records(architecture)}
        for machine, link in campaign(architecture):
            if (machine, link) not in done:
                click.echo(f"{architecture}: {machine.name}{', with the link' if link else ''}")
                keep(measure(architecture, machine, link))


@click.command()
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1, 99))
@click.option("--board", "names", multiple=True, help="Only these boards; all by default.")
def command(seeds: int, names: tuple[str, ...]) -> None:
    """Synthesise what is missing, then build every board; those without a host with the
    demonstration."""
    syntheses()
    for board in BOARDS.values():
        if board.vendor or (names and board.name not in names):
            continue
        known, target = stored(board), demonstrated(board)
        if known is not None and known.id == identify(target)[0] and len(known.seeds) >= seeds:
            continue
        try:
            with Progress(board.name) as say:
                result, _ = build(target, tuple(range(1, seeds + 1)), say)
        except AntevoltError as error:
            click.echo(f"{board.name}: {error}")
            continue
        record(result)
        click.echo(f"{board.name}: median {clock(board, result)} of {len(result.seeds)} seeds")


if __name__ == "__main__":
    command()
