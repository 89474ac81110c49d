# SPDX-License-Identifier: Apache-2.0
"""The repository's files, and the names they are imported by."""

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = {
    ROOT / folder: package
    for package, folder in PROJECT["tool"]["setuptools"]["package-dir"].items()
}


def package_of(folder: Path) -> str:
    """The package that a folder is: by its innermost ancestor in `package-dir`."""
    above = next(parent for parent in (folder, *folder.parents) if parent in FOLDERS)
    return ".".join((FOLDERS[above], *folder.relative_to(above).parts))


def modules() -> Iterator[tuple[str, Path]]:
    """Names and files of all modules of antevolt."""
    for top in FOLDERS:
        if top.parent == ROOT:
            for path in sorted(top.rglob("*.py")):
                package = package_of(path.parent)
                yield package if path.stem == "__init__" else f"{package}.{path.stem}", path


def files() -> list[Path]:
    """All files that are under version control or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    paths = {ROOT / name for name in listed.split("\0") if name}
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())
