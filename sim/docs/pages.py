# SPDX-License-Identifier: Apache-2.0
"""Pages with generated sections.

A section stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
from pathlib import Path

from antevolt.hdl.spec.errors import BadFile
from antevolt.host.files import write_whole
from antevolt.sim.docs.sections import SECTIONS

__all__ = ["ROOT", "filled", "pages", "refresh"]

ROOT = Path(__file__).resolve().parents[2]
"""The checkout; an installed package has no manual beside it."""

MARKED = re.compile(r"<!-- generated: (?P<name>\w+) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)
BEGIN, END = "<!-- generated: ", "<!-- end -->"


def pages(root: Path) -> list[Path]:
    """README and the pages of the manual; raises BadFile where there is no manual."""
    found = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    if len(found) == 1:
        raise BadFile(f"there is no manual in {root}; run this in a checkout of antevolt")
    return [page for page in found if page.exists()]


def filled(text: str, where: str) -> str:
    """The page with its generated sections made anew; raises BadFile for broken markers."""

    def section(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in SECTIONS:
            known = ", ".join(sorted(SECTIONS))
            raise BadFile(f"{where}: there is no section {name!r}; there are {known}")
        return f"{BEGIN}{name} -->\n{SECTIONS[name]().strip()}\n{END}"

    found = MARKED.findall(text)
    if not len(found) == text.count(BEGIN) == text.count(END):
        raise BadFile(f"{where}: a '{BEGIN}NAME -->' has no '{END}' of its own")
    return MARKED.sub(section, text)


def refresh(root: Path, write: bool) -> list[Path]:
    """Pages whose generated sections are not what the code says; written anew with `write`."""
    stale = []
    for page in pages(root):
        text = page.read_text()
        fresh = filled(text, page.name)
        if fresh != text:
            stale.append(page)
            if write:
                write_whole(page, fresh)
    return stale
