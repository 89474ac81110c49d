# SPDX-License-Identifier: Apache-2.0
"""`antevolt verify`: compare a device with the model, and say what was compared."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.network import read
from antevolt.host.campaign import campaign, found, key, random_cases, result, write
from antevolt.host.comparison import Case, Report
from antevolt.host.core_options import machine_of, machine_options
from antevolt.host.progress_bar import progress_bar
from antevolt.host.verify import verify

__all__ = ["command", "core_options", "run_cases"]

Command = Callable[..., Any]


def core_options(command: Command) -> Command:
    """The machine, and the profile of the samples."""
    profile = click.option(
        "--profile",
        type=click.Choice(["normal", "stress"]),
        default="normal",
        show_default=True,
        help="Signals that fit, or full scale throughout.",
    )
    return machine_options(profile(command))


def run_cases(cases: list[Case], quiet: bool, out: Path | None = None) -> list[Report]:
    """All reports, with a bar of the steps on stderr where that is a terminal.

    out  a file for what is known so far; cases that it already has are not run again
    """
    console = Console(stderr=True)
    known = found(out, cases) if out is not None else {}
    if known:
        console.print(f"{len(known)} of {len(cases)} cases are in {out} already", highlight=False)
    with progress_bar(console, transient=True) as bar:
        for k, case in enumerate(cases, 1):
            if key(case) in known:
                continue
            task = bar.add_task(f"{k}/{len(cases)} {case.name}", total=case.steps)
            report = verify(case, partial(_advance, bar, task))
            bar.remove_task(task)
            known[key(case)] = report
            if out is not None:
                write(out, [known[key(c)] for c in cases if key(c) in known], len(cases))
            if not quiet:
                _print(report)
    return [known[key(case)] for case in cases]


def _advance(bar: Progress, task: TaskID, steps: int) -> None:
    bar.update(task, completed=steps)


def _print(r: Report) -> None:
    say = click.echo
    say(f"{r.name}: {'equal' if r.passed else 'NOT PASSED'}")
    say(f"  {r.steps} steps, {r.words_compared} words compared, {r.differing_bits} differing bits")
    say(f"  digest {r.digest}")
    say(f"  learnable words changed: {r.changed:.1%}")
    counts = ", ".join(f"{kind} {count}" for kind, count in r.saturations.items() if count)
    say(f"  saturations: {counts or 'none'} ({r.saturated:.2%} of the words)")
    per_step = r.cycles / r.steps, r.compiled / r.steps
    say(f"  cycles per step: {per_step[0]:.2f}, compiler {per_step[1]:.2f}")
    if r.cycles_differ_at is not None:
        say(f"  CYCLES DIFFER from the compiler's count, first up to step {r.cycles_differ_at}")
    if r.difference is not None:
        say(f"  FIRST DIFFERENCE: {r.difference}")
    for reason in r.vacuous:
        say(f"  VACUOUS: {reason}")


@click.command("verify")
@click.option("--device", default="rtl", show_default=True, help="The device to compare.")
@click.option("--network", type=click.Path(path_type=Path), help="A network's JSON file.")
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@core_options
@click.option("--random", "count", type=click.IntRange(1), help="So many random networks.")
@click.option(
    "--campaign", "whole", is_flag=True, help="All shapes of cores; small ones make more steps."
)
@click.option("--out", type=click.Path(path_type=Path), help="A JSON file for the result; resumed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    device: str,
    network: Path | None,
    steps: int,
    seed: int,
    profile: str,
    count: int | None,
    whole: bool,
    out: Path | None,
    as_json: bool,
    **core: Any,
) -> None:
    """Stream the same random samples through a device and the model, learning on, and compare
    every output and, in the end, every word of every memory.

    The file's weights are used where it has some, else they are drawn from the seed. Exit status:
    0 equal, 1 different or a comparison that proves nothing, 2 bad input.
    """
    if sum((network is not None, count is not None, whole)) != 1:
        raise BadInput("give one of --network FILE, --random COUNT and --campaign")
    machine = machine_of(**core)
    if whole:
        cases = campaign(seed, steps, device)
    elif count is not None:
        cases = random_cases(count, machine, steps, seed, device)
    else:
        described, parameters = read(network or Path())
        cases = [
            Case(described, machine, steps, seed, profile, parameters, device)  # type: ignore[arg-type]
        ]
    reports = run_cases(cases, as_json, out)
    if as_json:
        click.echo(json.dumps(result(reports)))
    elif len(reports) > 1:
        total = sum(r.steps for r in reports)
        passed = sum(r.passed for r in reports)
        click.echo(f"{passed} of {len(reports)} cases passed, {total} steps")
    if not all(r.passed for r in reports):
        sys.exit(1)
