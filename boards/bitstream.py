# SPDX-License-Identifier: Apache-2.0
"""The file that a board is loaded with: one in the folder of a build's results, or none."""

from pathlib import Path

from antevolt.host.files import make_folder, write_whole

__all__ = ["bitstream", "put"]

ENDINGS = (".bit", ".bin", ".fs")
"""One for each family."""


def bitstream(name: str, folder: Path) -> Path | None:
    """Of the board of this name."""
    files = (folder / f"{name}{ending}" for ending in ENDINGS)
    return next((file for file in files if file.exists()), None)


def put(name: str, folder: Path, made: Path | None) -> None:
    """Take the place of an older one; where none was `made`, that goes all the same.

    Raises BadFile for a folder that cannot be written.
    """
    make_folder(folder)
    for ending in ENDINGS:
        (folder / f"{name}{ending}").unlink(missing_ok=True)
    if made is not None:
        write_whole(folder / f"{name}{made.suffix}", made.read_bytes())
