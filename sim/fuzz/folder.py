# SPDX-License-Identifier: Apache-2.0
"""Files that are written by the million: in memory, where the system has such a place."""

import os
import shutil
import tempfile
import weakref
from pathlib import Path

__all__ = ["folder_of"]

MEMORY = Path("/dev/shm")


def folder_of(owner: object) -> Path:
    """A new folder that goes with its owner."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = tempfile.mkdtemp(prefix="antevolt-fuzz-", dir=place)
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
