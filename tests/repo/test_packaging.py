# SPDX-License-Identifier: Apache-2.0
"""What is shipped: facts that an editable install hides."""

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import antevolt
from repository import FOLDERS, PROJECT, ROOT, files, modules, package_of

SETUPTOOLS = PROJECT["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    found = {name for name, path in modules() if path.stem == "__init__"}
    assert sorted(found) == SETUPTOOLS["packages"]


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for _, path in modules()}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=FOLDERS.values())
def test_every_mapped_folder_is_typed(folder: Path) -> None:
    assert (folder / "py.typed").is_file()


def test_type_checkers_see_every_mapped_folder() -> None:
    for folder, package in FOLDERS.items():
        link = ROOT / ".typings" / package.replace(".", "/")
        if package == "antevolt":
            folder, link = folder / "__init__.py", link / "__init__.py"
        assert link.is_symlink() or link.name == "antevolt"
        assert link.resolve() == folder.resolve()


def test_every_other_file_is_package_data() -> None:
    patterns = SETUPTOOLS["package-data"]["*"]
    lost = [
        path
        for path in files()
        if any(path.is_relative_to(folder) for folder in FOLDERS)
        and path.suffix != ".py"
        and not any(path.match(pattern) for pattern in patterns)
    ]
    assert lost == []


def test_a_wheel_holds_every_file(tmp_path: Path) -> None:
    """Built as setuptools does it, without a network; the tree is not written to."""
    build = [sys.executable, "-c", "import setuptools; setuptools.setup()", "--quiet"]
    lib = tmp_path / "lib"
    steps = ["egg_info", f"--egg-base={tmp_path}", "build", f"--build-lib={lib}"]
    subprocess.run(
        [*build, *steps, f"--build-base={tmp_path / 'build'}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
        timeout=100,
    )
    expected = {
        Path(package_of(path.parent).replace(".", "/"), path.name)
        for path in files()
        if any(path.is_relative_to(folder) for folder in FOLDERS)
    }
    assert {path.relative_to(lib) for path in lib.rglob("*") if path.is_file()} == expected


def test_the_command_is_installed() -> None:
    (script,) = metadata.entry_points(group="console_scripts", name="antevolt")
    assert callable(script.load())


def test_open_and_version_are_found_at_the_top() -> None:
    assert callable(antevolt.open)
    assert {"open", "__version__"} <= set(dir(antevolt))
    with pytest.raises(AttributeError, match="no attribute 'close'"):
        getattr(antevolt, "close")  # noqa: B009  (a type checker would refuse the plain form)


def test_versions_agree() -> None:
    version = PROJECT["project"]["version"]
    cited = re.search(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.M)
    assert cited
    assert antevolt.__version__ == version == cited[1]


def test_the_top_imports_nothing_by_itself() -> None:
    code = "import sys, antevolt; print([m for m in sys.modules if m.startswith('antevolt.')])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
