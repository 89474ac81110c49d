# SPDX-License-Identifier: Apache-2.0
"""Verdicts as they come, in a file beside the result, so that a campaign that was stopped goes on.

The first line says of which campaign they are, the others are one verdict each, as JSON.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import make_folder, synced, write_whole

__all__ = ["Kept", "Verdict", "done"]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    killed  by what: output, memory, cycles, deadline, crash, refused (an error that says so);
            empty for one that survived
    where   the first difference
    """

    number: int
    mutant: str
    killed: str
    where: str
    seconds: float


@dataclass(frozen=True)
class Kept:
    """Verdicts by number; `path` None: they are not kept in a file."""

    path: Path | None
    verdicts: dict[int, Verdict]

    @classmethod
    def open(cls, out: Path | None, commit: str, **campaign: Any) -> Self:
        """Those of the same campaign and commit, from `OUT.part`; else none, in a new file. What
        comes of files that were changed since their commit is not taken over, nor is a torn last
        line.

        Raises BadFile for a file that holds something else.
        """
        if out is None:
            return cls(None, {})
        path, head = _beside(out), {"commit": commit, **campaign}
        first, *lines = path.read_text(errors="replace").split("\n") if path.exists() else [""]
        try:
            same = bool(first) and json.loads(first) == head
            found = [Verdict(**json.loads(line)) for line in lines[:-1]] if same else []
        except (ValueError, TypeError) as error:
            raise BadFile(f"{path} holds no verdicts ({error}); remove it") from error
        if not commit or commit.endswith("+"):
            found = []
        if not found or lines[-1]:  # which is torn then
            make_folder(path.parent)
            whole = (head, *map(asdict, found))
            write_whole(path, "".join(json.dumps(line) + "\n" for line in whole))
        return cls(path, {verdict.number: verdict for verdict in found})

    def add(self, verdict: Verdict) -> None:
        """One more; it is on the disk when this returns."""
        self.verdicts[verdict.number] = verdict
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")
                synced(file)


def done(out: Path) -> None:
    """The result is in the file `out`: the verdicts beside it are not needed any more."""
    _beside(out).unlink(missing_ok=True)


def _beside(out: Path) -> Path:
    return out.with_name(out.name + ".part")
