# SPDX-License-Identifier: Apache-2.0
"""A figure as a PNG file that is whole at any time."""

import io
from pathlib import Path

from matplotlib.figure import Figure

from antevolt.host.files import write_whole

__all__ = ["write_png"]

DPI = 150


def write_png(figure: Figure, path: Path, dpi: int = DPI) -> None:
    """Raises BadFile where there cannot be such a file."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=dpi)
    write_whole(path, content.getvalue())
