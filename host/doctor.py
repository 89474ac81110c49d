# SPDX-License-Identifier: Apache-2.0
"""`antevolt doctor`: what of this machine antevolt can use, and how to get the rest."""

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

import click
from serial.tools import list_ports

from antevolt.host.extras import install
from antevolt.sim.cache import folder_of

__all__ = ["Finding", "command", "examine", "requirements"]

PYTHON = (3, 11)
REQUIREMENT = re.compile(r"^([\w.-]+)(?:.*\bextra == ['\"](\w+)['\"])?")
OURS = ("test", "all")
"""Extras that are for work on antevolt itself."""
MODULES = {"pyserial": "serial"}
"""Of packages whose module has another name."""
PROGRAMS = {
    "g++": ("compiled model and simulators", "on Debian or Ubuntu: sudo apt install g++"),
    "make": ("simulators", "on Debian or Ubuntu: sudo apt install make"),
    "perl": ("simulators", "on Debian or Ubuntu: sudo apt install perl"),
    "openFPGALoader": ("programming boards", "install openFPGALoader from your system's packages"),
}


@dataclass(frozen=True)
class Finding:
    """One thing: `needed`: nothing works without it; `fix` where it is not in order."""

    name: str
    good: bool
    found: str
    needed: bool = False
    fix: str = ""


def examine() -> Iterator[Finding]:
    """All findings. Nothing is changed, nothing is built, no port is opened."""
    version = ".".join(map(str, sys.version_info[:3]))
    least = ".".join(map(str, PYTHON))
    good = sys.version_info[:2] >= PYTHON
    yield Finding("Python", good, version, True, "" if good else f"install Python {least} or later")
    yield from _packages()
    for name, (use, fix) in PROGRAMS.items():
        path = shutil.which(name)
        found = path or f"missing; needed for {use}"
        yield Finding(name, path is not None, found, False, "" if path else fix)
    yield _cache()
    yield from _ports()


def requirements() -> dict[str, str]:
    """Packages, and the first extra that brings each, empty for what is always needed.

    Raises PackageNotFoundError where antevolt itself is not installed.
    """
    found: dict[str, str] = {}
    for text in metadata.requires("antevolt") or ():
        ((name, extra),) = REQUIREMENT.findall(text)
        if name != "antevolt" and extra not in OURS:
            found.setdefault(name, extra)
    return found


def _packages() -> Iterator[Finding]:
    try:
        packages = requirements()
    except metadata.PackageNotFoundError:
        fix = "pip install --editable . in the checkout"
        yield Finding("antevolt", False, "not installed: nobody knows what it needs", False, fix)
        return
    for name, extra in packages.items():
        yield _package(name, not extra, install(extra) if extra else f"pip install {name}")


def _package(name: str, needed: bool, fix: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name), needed)
    except metadata.PackageNotFoundError:
        there = util.find_spec(MODULES.get(name, name.replace("-", "_"))) is not None
        if there:
            return Finding(name, True, "version unknown", needed)
        return Finding(name, False, "missing", needed, fix)


def _cache() -> Finding:
    """Whether simulators can be kept."""
    folder = folder_of("rtl")
    above = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=above):
            pass
    except OSError as error:
        fix = "make it writable, or set XDG_CACHE_HOME to a folder that is"
        return Finding("cache", False, f"{above} cannot be written to: {error}", False, fix)
    return Finding("cache", True, str(folder))


def _ports() -> Iterator[Finding]:
    ports = sorted(list_ports.comports())
    if not ports:
        fix = "plug a board in; the cable must carry data"
        yield Finding("serial ports", False, "none", False, fix)
    for port in ports:
        usable = os.access(port.device, os.R_OK | os.W_OK) or not Path(port.device).exists()
        fix = "" if usable else "sudo usermod -aG dialout $USER, then log in anew"
        found = str(port.description) if usable else "no permission"
        yield Finding(str(port.device), usable, found, False, fix)


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def command(as_json: bool) -> None:
    """Say what of this machine can be used, and how to get the rest.

    Exit status: 0 when nothing that is always needed is missing, else 1.
    """
    findings = list(examine())
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            mark = "ok " if finding.good else ("BAD" if finding.needed else "-  ")
            click.echo(f"{mark} {finding.name:{width}}  {finding.found}")
            if finding.fix:
                click.echo(f"    {'':{width}}  {finding.fix}")
    if any(finding.needed and not finding.good for finding in findings):
        sys.exit(1)
