# SPDX-License-Identifier: Apache-2.0
"""The bar of a command that takes long: what, how many of how many, since when."""

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["progress_bar"]


def progress_bar(console: Console, transient: bool = False) -> Progress:
    """Seen where the console is a terminal; `transient`: until it ends."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=transient,
        disable=not console.is_terminal,
    )
