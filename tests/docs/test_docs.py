# SPDX-License-Identifier: Apache-2.0
"""The manual: its examples run, its links lead somewhere, its generated parts are up to date.

Of a page, all blocks of Python run in order, in one namespace and one empty folder. A block
`console` below a line `<!-- run -->` runs too; commands of other blocks are only parsed. A block
below a line such as `<!-- mine.json -->` is written to this file.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.cli import antevolt
from antevolt.sim.docs.pages import ROOT, filled, pages, refresh
from antevolt.sim.docs.sections import SECTIONS

PAGES = pages(ROOT)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
SECONDS = 60  # for a page
BLOCK = re.compile(
    r"(?:<!-- (run|\w+\.json) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
ARGUMENTS = "from antevolt.host.cli import main; main()"


def blocks(text: str) -> list[tuple[int, str, str, str]]:
    """(line of its first line, language, content, its mark: run, a file's name) of each block."""
    return [(text.count("\n", 0, m.start(3)), m[2], m[3], m[1] or "") for m in BLOCK.finditer(text)]


def commands(content: str) -> list[list[str]]:
    """The words of the lines that start `antevolt` or `make`."""
    lines = [line.removeprefix("$ ") for line in content.splitlines()]
    return [shlex.split(line) for line in lines if line.split(" ")[0] in ("antevolt", "make")]


def known(words: list[str]) -> bool:
    """The command and its options exist: `--help` is answered after all words are read.

    What follows `--` belongs to something else.
    """
    if words[0] == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return all(word in targets or "=" in word for word in words[1:])
    own = words[1 : words.index("--") if "--" in words else None]
    return CliRunner().invoke(antevolt, [*own, "--help"]).exit_code == 0


def run_console(content: str, folder: Path) -> None:
    """Run the lines that start `antevolt`; raises what subprocess does."""
    for words in commands(content):
        command = [sys.executable, "-c", ARGUMENTS, *words[1:]]
        subprocess.run(command, cwd=folder, check=True, timeout=SECONDS, stdin=subprocess.DEVNULL)


def run_page(text: str, name: str, folder: Path) -> None:
    """Run a page's blocks in `folder`, which is the working directory; errors have its lines."""
    space: dict[str, Any] = {"__name__": "__main__"}
    for line, language, content, mark in blocks(text):
        if language == "python":
            exec(compile("\n" * line + content, name, "exec"), space)
        elif mark == "run":
            run_console(content, folder)
        elif mark:
            (folder / mark).write_text(content)


def targets(text: str) -> list[str]:
    """Links to files, outside of blocks."""
    links = LINK.findall(BLOCK.sub("", text))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def anchors(text: str) -> set[str]:
    """Names of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(text: str, folder: Path) -> list[str]:
    """Links that lead nowhere."""
    found = []
    for link in targets(text):
        name, _, anchor = link.partition("#")
        path = folder / name
        exists = not name or path.exists()
        if not exists or anchor and anchor not in anchors(path.read_text() if name else text):
            found.append(link)
    return found


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_examples_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page.read_text(), str(page.relative_to(ROOT)), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist(page: Path) -> None:
    consoles = [content for _, language, content, _ in blocks(page.read_text())
                if language == "console"]  # fmt: skip
    assert [w for content in consoles for w in commands(content) if not known(w)] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page.read_text(), page.parent) == []


def test_generated_parts_are_up_to_date() -> None:
    stale = [str(page.relative_to(ROOT)) for page in refresh(ROOT, write=False)]
    assert stale == [], "run: python -m antevolt.sim.docs"


@pytest.mark.parametrize("name", SECTIONS)
def test_every_generated_part_is_used(name: str) -> None:
    assert any(f"<!-- generated: {name} -->" in page.read_text() for page in PAGES)


def test_a_wrong_example_is_found(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        run_page("# A\n\n```python\nx = 0\n```\n\n```python\n1 / x\n```\n", "a.md", tmp_path)
    assert raised.traceback[-1].lineno == 7  # counted from 0
    with pytest.raises(subprocess.CalledProcessError):
        run_page("<!-- run -->\n```console\n$ antevolt verify\n```\n", "a.md", tmp_path)


def test_a_wrong_command_is_found() -> None:
    assert known(["antevolt", "verify", "--rows", "3"])
    assert not known(["antevolt", "verify", "--row-count", "3"])
    assert not known(["antevolt", "no-such-command"])
    assert not known(["make", "no-such-target"])


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text("## One two\n")
    text = "[a](b.md) [b](b.md#one-two) [c](#d) [d](c.md) [e](b.md#three) [f](https://x.example)"
    assert broken(text, tmp_path) == ["#d", "c.md", "b.md#three"]


@pytest.mark.parametrize(
    "text",
    [
        "<!-- generated: no_such -->\n<!-- end -->\n",
        "<!-- generated: limits -->\nnever ends\n",
        "<!-- generated: limits -->\n<!-- generated: phi -->\n<!-- end -->\n",
    ],
)
def test_broken_markers_are_refused(text: str) -> None:
    with pytest.raises(BadFile):
        filled(text, "a.md")


def test_a_stale_part_is_made_anew(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "a.md"
    page.parent.mkdir()
    page.write_text("<!-- generated: limits -->\nold\n<!-- end -->\n")
    assert refresh(tmp_path, write=False) == [page]
    assert "old" in page.read_text()
    assert refresh(tmp_path, write=True) == [page]
    assert "old" not in page.read_text()
    assert refresh(tmp_path, write=False) == []
