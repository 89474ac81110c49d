# SPDX-License-Identifier: Apache-2.0
"""`antevolt faults`: the fault campaign on the serial link, with a record."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.campaign import commit
from antevolt.host.files import write_record
from antevolt.host.finite import POSITIVE, Finite
from antevolt.host.progress_bar import progress_bar
from antevolt.host.version import version
from antevolt.sim.rtl.fault_campaign import Result, campaign, one_session
from antevolt.sim.rtl.lines import LINES

__all__ = ["command"]


@click.command("faults")
@click.option("--faults", default=1000, show_default=True, type=click.IntRange(1))
@click.option("--seconds", default=1e9, type=POSITIVE, help="Stop after so many seconds.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
@click.option("--mean", default=160.0, show_default=True, type=Finite(min=1),
              help="Bytes from one fault to the next.")  # fmt: skip
@click.option(
    "--line",
    type=click.Choice(list(LINES)),
    default="bytes",
    show_default=True,
    help="Small buffers; those of a board; of one that goes back; with the bits of bytes, slower.",
)
@click.option("--session", type=click.IntRange(1), help="Only this session of the campaign, whole.")
@click.option("--out", type=click.Path(path_type=Path), help="Write the result to this JSON file.")
@click.option("--resume", is_flag=True, help="Go on from what that file holds.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    faults: int,
    seconds: float,
    seed: int,
    mean: float,
    line: str,
    session: int | None,
    out: Path | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Disturb the bytes between a host and a simulated board, both ways, while random traffic runs
    whose answers are known.

    Exit status: 0 when nothing wrong got through and nothing hung, else 1.
    """
    result = Result(seed, mean, line)
    if resume and out is not None and out.exists():
        result = _before(out, result)
    console, made = Console(stderr=True), commit()
    with progress_bar(console) as bar:
        task = bar.add_task("faults", total=faults)

        def progress(result: Result) -> None:
            bar.update(task, completed=result.injected)
            _write(out, _record(result, made))

        if session is None:
            campaign(LINES[line], result, faults, seconds=seconds, progress=progress)
        else:
            one_session(LINES[line], result, session)
    _write(out, _record(result, made))
    if as_json:
        click.echo(json.dumps(_record(result, made)))
    else:
        _print(result)
    if not result.passed:
        sys.exit(1)


def _record(result: Result, made: str) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"date": now, "commit": made, "version": version(), **result.to_dict()}


def _before(out: Path, wanted: Result) -> Result:
    """What the file holds; raises BadFile where that is of another commit or campaign."""
    try:
        record = json.loads(out.read_text())
        found = Result.from_dict(record)
        same = (found.seed, found.mean, found.line) == (wanted.seed, wanted.mean, wanted.line)
        own = commit()
        if not same or record["commit"] != own or own.endswith("+"):
            raise ValueError("it is of another commit, seed, mean or line")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadFile(f"cannot go on from {out}: {error}; leave out --resume") from error
    return found


def _write(out: Path | None, record: dict[str, Any]) -> None:
    if out is not None:
        write_record(out, record)


def _print(r: Result) -> None:
    say = click.echo
    say(
        f"{r.injected} faults in {r.line_bytes} bytes, {r.sessions} sessions, {r.calls} calls, "
        f"{r.flights} flights, {r.words} words, {r.seconds:.0f} s"
    )
    say(f"  wrong and undetected {r.undetected}, hung {r.hangs}, failed {r.failed}")
    say(f"  counts that did not add up {r.disagreed}, that did {r.agreed}")
    say(f"  board switched off {r.resets} times, noticed {r.noticed} times")
    say(f"  frames dropped by the host {r.bad}, sent again {r.resent}, came again {r.repeated}")
    counts = ", ".join(f"{name} {count}" for name, count in sorted(r.dropped.items()))
    say(f"  dropped by the board, as far as heard: {counts or 'none'}")
    say(
        f"  recoveries {r.recoveries}, {r.within} with no frame more than once again, longest "
        f"{1000 * r.recovered:.1f} ms"
    )
    for t in r.twice:
        say(
            f"    session {t['session']}, flight {t['flight']}: {t['twice']} of {t['under_way']} "
            f"frames more than once, at most {t['most']} times"
        )
    say(f"  longest call {1000 * r.slowest:.1f} ms of the line's time")
    for message in r.messages:
        say(f"  {message}")
