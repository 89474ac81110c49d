# SPDX-License-Identifier: Apache-2.0
"""Options that follow from the fields of a task's settings."""

from dataclasses import dataclass
from typing import Any, Literal

import click
import pytest
from click.testing import CliRunner

from antevolt.sim.tasks.setting import options_of, setting


@dataclass(frozen=True)
class Settings:
    """One of each kind."""

    plain: int = 7  # is no option
    count: int = setting(3, "How many.", least=1, most=9)
    share: float = setting(0.5, least=0, above=True)
    free: float = setting(-1.0)
    name: Literal["one", "two"] = setting("two")
    sizes: tuple[int, ...] = setting((4, 5), least=2)
    loud: bool = setting(True)
    still: bool = setting(False, option="--still/--moving")
    rate: float | None = setting(None, shown="of the other", least=0)


def invoked(*arguments: str) -> tuple[dict[str, Any], str]:
    """What the command gets, and what it prints."""
    got: dict[str, Any] = {}

    def run(**options: Any) -> None:
        got.update(options)

    for option in reversed(options_of(Settings)):
        run = option(run)
    return got, CliRunner().invoke(click.command("settings")(run), arguments).output


def test_defaults_are_those_of_the_fields() -> None:
    """All but the field that is no option, and the one whose default depends on others."""
    defaults = {"count": 3, "share": 0.5, "free": -1.0, "name": "two", "sizes": (4, 5)}
    assert invoked()[0] == {**defaults, "loud": True, "still": False, "rate": None}


def test_values_have_the_fields_types() -> None:
    """Numbers, words, lists and pairs of flags."""
    given = [
        "--count=9",
        "--share=1",
        "--name=one",
        "--sizes=2,3,4",
        "--no-loud",
        "--still",
        "--rate=0",
    ]
    got = invoked(*given)[0]
    found = [got[name] for name in ("count", "share", "rate")]
    assert found == [9, 1.0, 0.0]
    assert [type(number) for number in found] == [int, float, float]
    assert (got["name"], got["sizes"]) == ("one", (2, 3, 4))
    assert (got["loud"], got["still"]) == (False, True)


@pytest.mark.parametrize(
    "argument",
    ["--count=10", "--count=0", "--count=2.5", "--share=0", "--name=three", "--sizes=1,2",
     "--sizes=x", "--rate=-1", "--plain=3"],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused(argument: str) -> None:
    """With a message that names the option."""
    got, printed = invoked(argument)
    assert not got
    assert argument.split("=")[0] in printed


def test_help_says_what_a_default_follows_from() -> None:
    """In its place."""
    assert "(of the other)" in invoked("--help")[1]
