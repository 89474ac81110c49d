# SPDX-License-Identifier: Apache-2.0
"""The command line: words as people mistype them, and worse.

The words of every command are parsed; commands that are soon done, and touch nothing beyond a
folder, are run.
"""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import click
import numpy as np

from antevolt.hdl.spec.network import Network, Population, write
from antevolt.host.cli import antevolt, main
from antevolt.sim.fuzz.campaign import Wrong
from antevolt.sim.fuzz.folder import folder_of
from antevolt.sim.fuzz.mutate import changed_bytes

__all__ = ["ArgumentsTarget"]

RUN = {
    "version": "",
    "boards": "",
    "compile": "--network net.json",
    "estimate": "net.json --board ulx3s-85f",
    "run": "net.json --data data.npz --out new --device model:numpy --every 7",
    "report": "folder",
    "reference": "data.npz",
}
"""Commands that are run, and words with which they do something."""
VALUES = (
    *(
        "",
        "0",
        "1",
        "-1",
        "7",
        "18",
        "64",
        "1e9",
        "9" * 400,
        "nan",
        "x",
        "é",
        "\udcff",
        "a b",
        "--",
    ),
    *("-", "model", "model:numpy", "serial:", "tcp:", "tcp:unix:none", "fpga", "every", "done"),
    *("net.json", "data.npz", "broken.json", "folder", "none", "done/run.json", "u", "energy", "*"),
)
Words = tuple[str, ...]
RUNS = 0.05  # share of the words that are run
NEVER = ("rtl", "\0")  # building a simulator takes a minute; a word of a command has no NUL


class Usage(Exception):
    """The command line said what is wrong, and ended with status 1 or 2."""


class ArgumentsTarget:
    """Words for `antevolt`; run in a folder with a network, data and a run."""

    name, block = "arguments", 50
    refusals = (click.ClickException, Usage)

    def __init__(self) -> None:
        self._folder = folder_of(self)
        self._commands = dict(_commands(antevolt, ()))
        write(self._folder / "net.json", Network(2, (Population(3), Population(1, "linear"))))
        np.savez(self._folder / "data.npz", x=np.zeros((20, 2)), y=np.zeros((20, 1)))
        (self._folder / "broken.json").write_text('{"inputs": 1')
        (self._folder / "folder").mkdir()
        self._pool = [value.encode(errors="surrogateescape") for value in VALUES if value]
        with self._inside():
            words = "run net.json --data data.npz --out done --device model:numpy"
            antevolt.main(words.split(), standalone_mode=False)

    def begin(self) -> None:
        """Files that a block made are gone in the next."""
        for path in self._folder.glob("new*"):
            if path.is_dir():
                for part in path.iterdir():
                    part.unlink()
                path.rmdir()

    def draw(self, draw: Random) -> tuple[bool, list[str]]:
        """Whether to run it, and the words."""
        run = draw.random() < RUNS
        if run:
            name = draw.choice(list(RUN))
            words = [name, *RUN[name].split()]
            path: Words = (name,)
        else:
            path = draw.choice(list(self._commands))
            words = list(path)
        for _ in range(draw.randint(0, 4)):
            words[len(path) :] = self._changed(draw, words[len(path) :], path)
        if draw.random() < 0.05:
            words[0] = self._mistyped(draw, words[0])
        if any(never in word for word in words for never in NEVER):
            return False, list(path)
        return run, words

    def feed(self, item: tuple[bool, list[str]]) -> None:
        run, words = item
        with self._inside():
            try:
                if run:
                    main(words)
                else:
                    _parse(antevolt, words)
            except (SystemExit, click.exceptions.Exit) as stop:
                code = stop.code if isinstance(stop, SystemExit) else stop.exit_code
                if code in (1, 2):
                    raise Usage from None
                if code not in (0, None):
                    raise Wrong(f"exit status {code}") from None

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        """In the folder, and in silence."""
        before, quiet = Path.cwd(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
        os.chdir(self._folder)
        try:
            with contextlib.redirect_stdout(quiet), contextlib.redirect_stderr(quiet):
                yield
        finally:
            os.chdir(before)

    def _changed(self, draw: Random, words: list[str], path: Words) -> list[str]:
        at, kind = draw.randint(0, len(words)), draw.randrange(6)
        if kind < 3:
            options = [
                name for p in self._commands[path].params for name in p.opts + p.secondary_opts
            ]
            new = [draw.choice(options or [""])]
            new += [draw.choice(VALUES)] * (draw.random() < 0.7)
            return words[:at] + new + words[at:]
        if kind == 3:
            return words[:at] + words[at + 1 :]
        if kind == 4 or at == len(words):
            return words[:at] + [draw.choice(VALUES)] + words[at:]
        return [*words[:at], self._mistyped(draw, words[at]), *words[at + 1 :]]

    def _mistyped(self, draw: Random, word: str) -> str:
        data = changed_bytes(draw, word.encode(errors="surrogateescape"), self._pool, 2)
        return data.decode(errors="surrogateescape")


def _commands(group: click.Group, path: Words) -> Iterator[tuple[Words, click.Command]]:
    """All commands that are no group, by their names from the first on."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        elif command is not None:
            yield (*path, name), command


def _parse(group: click.Group, words: list[str]) -> None:
    """As far as the call of the command."""
    command: click.Command = group
    context = group.make_context("antevolt", list(words))
    while isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]
        if not rest:  # `--` alone; `invoke` says that a command is missing
            raise Usage
        name, found, rest = command.resolve_command(context, rest)
        if found is None:
            raise Wrong(f"{name} is no command, and nobody said so")
        command, context = found, found.make_context(name, rest, parent=context)
