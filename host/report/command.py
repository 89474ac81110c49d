# SPDX-License-Identifier: Apache-2.0
"""`antevolt report`: a page about a run."""

from pathlib import Path

import click

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import write_whole
from antevolt.host.report.page import page
from antevolt.host.run_data import read_data
from antevolt.host.run_folder import read_run

__all__ = ["command"]

FILE = click.Path(path_type=Path)


@click.command("report")
@click.argument("run", type=FILE)
@click.option("--out", type=FILE, help="The page; default: report.html in the run's folder.")
@click.option("--data", type=FILE, help="The run's data file, to draw its targets, too.")
def command(run: Path, out: Path | None, data: Path | None) -> None:
    """Write one HTML page about RUN, a folder of `antevolt run`, finished or not: curves, weights,
    taps, the network, settings, versions. It needs no other file and no network.
    """
    recorded = read_run(run)
    samples = None if data is None else read_data(data)
    if samples is not None and samples.digest != recorded.about.get("data"):
        raise BadFile(f"{data} is not the data of {run}")
    target = run / "report.html" if out is None else out
    text = page(recorded, run.resolve().name, samples)
    write_whole(target, text.encode(errors="replace"))  # names of files may be no text
    click.echo(str(target))
