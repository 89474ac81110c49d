# SPDX-License-Identifier: Apache-2.0
"""requirements.lock: exact, hashed, of no particular index, and within the ranges of pyproject."""

import re
from collections.abc import Iterable
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from repository import PROJECT, ROOT

TEXT = (ROOT / "requirements.lock").read_text()
ENTRY = re.compile(
    r"^([\w.-]+)==(\S+)(?: ; [^\\\n]+?)? \\\n"
    r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+",
    re.MULTILINE,
)
LOCKED = {canonicalize_name(name): Version(version) for name, version in ENTRY.findall(TEXT)}
EXTRAS = PROJECT["project"]["optional-dependencies"]
UNLOCKED = {"torch"}
"""Extras that only a user may want: large, and nothing of ours needs them."""


def ranges(extras: Iterable[str] = set(EXTRAS) - UNLOCKED) -> list[Requirement]:
    """Every requirement of the project, with these extras, and what builds it."""
    lists = (
        PROJECT["project"]["dependencies"],
        *(EXTRAS[name] for name in sorted(extras)),
        *PROJECT["dependency-groups"].values(),
        PROJECT["build-system"]["requires"],
    )
    found = [Requirement(text) for text in dict.fromkeys(chain(*lists))]
    return [requirement for requirement in found if requirement.name != "antevolt"]


@pytest.mark.parametrize("requirement", ranges(), ids=str)
def test_locked_versions_are_in_range(requirement: Requirement) -> None:
    version = LOCKED[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version, prereleases=True)


@pytest.mark.parametrize("requirement", ranges(EXTRAS), ids=str)
def test_ranges_have_both_ends(requirement: Requirement) -> None:
    operators = {part.operator for part in requirement.specifier}
    assert operators == {">=", "<"}


def test_every_line_of_the_lock_is_understood() -> None:
    rest = re.sub(r"^ *#.*\n", "", ENTRY.sub("", TEXT), flags=re.MULTILINE)
    assert rest == ""


def test_the_lock_names_no_index() -> None:
    assert not re.search(r"https?:|--(?:extra-)?index|--find-links|--trusted|file:", TEXT)


def test_all_is_everything() -> None:
    (everything,) = EXTRAS["all"]
    assert Requirement(everything).extras == set(EXTRAS) - {"all"} - UNLOCKED


def test_neither_torch_nor_its_like_is_wanted() -> None:
    assert not {"torch", "jax", "tensorflow"} & set(LOCKED)
