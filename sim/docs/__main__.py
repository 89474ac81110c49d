# SPDX-License-Identifier: Apache-2.0
"""`python -m antevolt.sim.docs`: write the generated parts of the manual anew, or check them."""

import sys

import click

from antevolt.hdl.spec.errors import AntevoltError
from antevolt.sim.docs.pages import ROOT, refresh

__all__ = ["command"]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 if a page is stale.")
def command(check: bool) -> None:
    """Write the generated parts of the pages in `docs/` and of the README anew."""
    stale = refresh(ROOT, write=not check)
    for path in stale:
        click.echo(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and stale:
        click.echo("run: python -m antevolt.sim.docs")
        sys.exit(1)


if __name__ == "__main__":
    try:
        command()
    except AntevoltError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
