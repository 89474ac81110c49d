# SPDX-License-Identifier: Apache-2.0
"""Run mutants, each in a process of its own, and say which the short comparison noticed."""

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from antevolt.hdl.spec.errors import AntevoltError, BadInput
from antevolt.host.campaign import commit
from antevolt.host.version import version
from antevolt.sim.mutation import patch
from antevolt.sim.mutation.kept import Kept, Verdict
from antevolt.sim.mutation.machines import MACHINE, SHORT
from antevolt.sim.mutation.netlist import mutated, tools
from antevolt.sim.mutation.netlist_subject import NetlistSubject
from antevolt.sim.mutation.short import observe, observe_short
from antevolt.sim.mutation.subject import PATIENCE, Model, save
from antevolt.sim.rtl.build import build

__all__ = ["WANTED", "Verdict", "model_campaign", "netlist_campaign", "result"]

SECONDS = 900.0  # for one mutant's process; a busy machine must not look like a noticed mutant
EQUAL = "equal"
WANTED = 0.9
"""Share of the mutants that the short comparison is to notice."""

Progress = Callable[[int, int], None]
"""Called with the number of mutants done and of all."""


def netlist_campaign(
    count: int,
    seed: int,
    progress: Progress | None = None,
    only: Sequence[int] | None = None,
    out: Path | None = None,
) -> list[Verdict]:
    """Mutants of the netlist of `MACHINE` against the model; `only`: these numbers.

    out  beside it verdicts are kept as they come, and taken over by the next call (`kept.Kept`);
         who has written the result there calls `kept.done`

    Raises BadInput for a number beyond `count`.
    """
    _check(only, count)
    library, mutants = mutated(MACHINE, count, seed)
    chosen = [m for m in mutants if only is None or m.number in only]
    with _folder() as folder:
        reference = folder / "reference.npz"
        save(reference, Model(MACHINE), observe)
        call = ["netlist", str(library), str(reference)]
        kept = Kept.open(out, commit(), kind="netlist", mutants=count, seed=seed)
        return _all(call, {m.number: str(m) for m in chosen}, progress, kept)


def model_campaign(
    progress: Progress | None = None,
    only: Sequence[int] | None = None,
    out: Path | None = None,
) -> list[Verdict]:
    """Mutants of the model against the netlists of `MACHINE` and, of short words, `SHORT`.

    `only`: these numbers, from 1; `out` as above. Raises BadInput for others.
    """
    _check(only, len(patch.MUTANTS))
    chosen = {
        n: f"{m.file}: {m.means}: `{_short(m.text)}` became `{_short(m.becomes)}`"
        for n, m in enumerate(patch.MUTANTS, 1)
        if only is None or n in only
    }
    for mutant in patch.MUTANTS:
        patch.check(mutant)
    with _folder() as folder:
        call = ["model"]
        for machine, look in ((MACHINE, observe), (SHORT, observe_short)):
            reference = folder / f"{machine.name}.npz"
            subject = NetlistSubject(machine, build(machine), None, PATIENCE, SECONDS)
            save(reference, subject, look)
            call.append(str(reference))
        kept = Kept.open(out, commit(), kind="model")
        return _all(call, chosen, progress, kept)


def result(kind: str, verdicts: list[Verdict], **settings: Any) -> dict[str, Any]:
    """For a file: date, commit, versions, counts, survivors, and every verdict."""
    counts = Counter(v.killed or "survived" for v in verdicts)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "version": version(),
        "tools": tools() if kind == "netlist" else {},
        "kind": kind,
        "machine": MACHINE.name,
        **settings,
        "mutants": len(verdicts),
        "killed": sum(bool(v.killed) for v in verdicts),
        "by": dict(counts),
        "survivors": [v.mutant for v in verdicts if not v.killed],
        "verdicts": [asdict(v) for v in verdicts],
    }


def _check(only: Sequence[int] | None, count: int) -> None:
    """Raises BadInput for numbers that no mutant has."""
    if beyond := [n for n in only or () if not 1 <= n <= count]:
        raise BadInput(f"there is no mutant {', '.join(map(str, beyond))}; they are 1..{count}")


def _short(text: str) -> str:
    return " ".join(text.split())


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="antevolt-mutate-") as name:
        yield Path(name)


def _all(
    call: list[str], mutants: dict[int, str], progress: Progress | None, kept: Kept
) -> list[Verdict]:
    control = _one(call, 0, "none")
    if control.killed:
        raise AntevoltError(
            f"without a mutant, model and netlist differ already ({control.killed}): "
            f"{control.where}"
        )
    for done, (number, mutant) in enumerate(mutants.items(), 1):
        before = kept.verdicts.get(number)
        if before is None or before.mutant != mutant:
            kept.add(_one(call, number, mutant))
        if progress is not None:
            progress(done, len(mutants))
    return [kept.verdicts[number] for number in mutants]


def _one(call: list[str], number: int, mutant: str) -> Verdict:
    """A process that dies or says nothing of use is one that crashed."""
    start = time.monotonic()
    command = [sys.executable, "-m", "antevolt.sim.mutation.worker", *call, str(number)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        kind, where = "deadline", f"not done within {SECONDS:g} s"
    else:
        kind, where = "crash", f"status {done.returncode}: {done.stderr.strip()[-200:]}"
        if done.returncode == 0:
            verdict = json.loads(done.stdout.splitlines()[-1])
            kind, where = str(verdict["kind"]), str(verdict["where"])
    killed = "" if kind == EQUAL else kind
    return Verdict(number, mutant, killed, where, round(time.monotonic() - start, 2))
