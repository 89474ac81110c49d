# SPDX-License-Identifier: Apache-2.0
"""Files that are whole at any time, and folders that cannot be."""

import json
import os
from pathlib import Path

import pytest

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import make_folder, write_record, write_whole


def test_a_record_makes_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "record.json"
    write_record(path, {"n": 1})
    write_record(path, {"n": 2})
    assert json.loads(path.read_text()) == {"n": 2}
    assert path.read_text().endswith("}\n")
    assert [p.name for p in path.parent.iterdir()] == ["record.json"]


def test_it_is_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the new words, while the old ones are still in their place; then the name."""
    path, found = tmp_path / "file", []

    def fsync(number: int) -> None:
        status = os.fstat(number)
        folder = os.path.samestat(status, tmp_path.stat())
        found.append(("folder" if folder else status.st_size, path.read_text()))

    write_whole(path, "before")
    monkeypatch.setattr(os, "fsync", fsync)
    write_whole(path, "and after")
    assert found == [(9, "before"), ("folder", "and after")]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    write_whole(tmp_path / "file", "before")
    make_folder(path / "full")
    for content in ("text", b"bytes"):
        with pytest.raises(BadFile, match="cannot write"):
            write_whole(path, content)
    with pytest.raises(TypeError):
        write_record(tmp_path / "file", {"n": object()})
    assert (tmp_path / "file").read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(BadFile, match="cannot make the folder"):
            make_folder(path)
    with pytest.raises(BadFile, match="cannot make the folder"):
        write_record(tmp_path / "file" / "record.json", {})
