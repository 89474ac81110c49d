# SPDX-License-Identifier: Apache-2.0
"""`antevolt version`: what is installed."""

import json
import platform
from importlib import metadata

import click
import numpy as np

__all__ = ["command", "version"]


def version() -> str:
    """The version of the installed package, or `source` when it runs from a checkout."""
    try:
        return metadata.version("antevolt")
    except metadata.PackageNotFoundError:
        return "source"


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(as_json: bool) -> None:
    """Print the versions of antevolt, Python and numpy."""
    values = {
        "antevolt": version(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    if as_json:
        click.echo(json.dumps(values))
    else:
        click.echo(" ".join(f"{name} {value}" for name, value in values.items()))
