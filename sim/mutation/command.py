# SPDX-License-Identifier: Apache-2.0
"""`antevolt mutate`: change the netlist or the model, and see whether the comparison notices."""

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from antevolt.host.files import write_record
from antevolt.host.progress_bar import progress_bar
from antevolt.sim.mutation import kept
from antevolt.sim.mutation.campaign import WANTED, model_campaign, netlist_campaign, result

__all__ = ["command"]


@click.command("mutate")
@click.option("--model", is_flag=True, help="Mistakes in the model instead of the netlist.")
@click.option("--mutants", default=200, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--only", multiple=True, type=click.IntRange(1), help="These numbers; repeatable.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result to this JSON file.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    model: bool, mutants: int, seed: int, only: tuple[int, ...], out: Path | None, as_json: bool
) -> None:
    """Make one mistake after another, and see whether the short comparison of netlist and model
    notices it.

    Mistakes of the netlist are drawn by yosys (extra `build`); those of the model are a list. With
    `--out`, a run that was stopped goes on where it was, on the same commit. Exit status: 0 when at
    least 90 % were noticed, 1 when not.
    """
    console = Console(stderr=True)
    with progress_bar(console, transient=True) as bar:
        task = bar.add_task("mutants", total=None)

        def advance(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        chosen = only or None
        if model:
            found = result("model", model_campaign(advance, chosen, out))
        else:
            verdicts = netlist_campaign(mutants, seed, advance, chosen, out)
            found = result("netlist", verdicts, seed=seed)
    if out is not None:
        write_record(out, found)
        kept.done(out)
    if as_json:
        click.echo(json.dumps(found))
    else:
        _print(found)
    if found["killed"] < WANTED * found["mutants"]:
        sys.exit(1)


def _print(found: dict[str, Any]) -> None:
    table = Table("noticed by", "mutants")
    for kind, count in sorted(found["by"].items(), key=lambda item: -item[1]):
        table.add_row(kind, str(count))
    Console().print(table)
    share = found["killed"] / max(1, found["mutants"])
    click.echo(f"{found['killed']} of {found['mutants']} mutants noticed, {share:.1%}")
    for verdict in found["verdicts"]:
        if not verdict["killed"]:
            click.echo(f"  SURVIVED {verdict['number']}: {verdict['mutant']}")
