# SPDX-License-Identifier: Apache-2.0
"""Settings of a task say in one place what they are: default, bounds, words, option.

A field made by `setting` is an option of the task's command; the option's kind follows from the
field's type.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, field, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import click

__all__ = [
    "BETA",
    "HIDDEN",
    "RATE",
    "RULE",
    "SLOW",
    "STREAMS",
    "Option",
    "Rule",
    "integers",
    "options_of",
    "setting",
    "settled",
]

Rule = Literal["trace", "gle", "instantaneous"]
BETA = "Scale of the error at the output, so that it is many LSB."
HIDDEN = "Sizes of the hidden populations."
RATE = "Learning rate at the start; it falls to zero by half a cosine."
RULE = "Of the hidden populations; the output's is instantaneous."
SLOW = "Largest tau_m, steps; that of the other slow neurons is half of it."
STREAMS = "Sequences at a time."

Option = Callable[[Any], Any]


def setting(
    default: Any,
    help: str = "",
    *,
    least: float | None = None,
    most: float | None = None,
    above: bool = False,
    option: str = "",
    kind: Any = None,
    required: bool = False,
    shown: str = "",
    before: Any = None,
) -> Any:
    """A field of a task's settings that is an option of its command.

    least, most  bounds of a number; `above`: the least itself is no value. Of a tuple: of each
    option   its declaration, where it is not the field's name
    kind     click's type, where the field's own does not say it
    required the option has to be given
    shown    in place of the default, which follows from other settings: without the option the
             field is None among what `Settings.of` gets
    before   what runs had that are older than the setting, where that is not the default
    """
    bounds = {"least": least, "most": most, "above": above}
    said = {"help": help, "option": option, "kind": kind, "required": required, "shown": shown}
    return field(default=default, metadata={**bounds, **said, "before": before})


def settled(settings: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What a record tells of a run's settings, and what the run had of those that are younger."""
    said = {f.name: f.metadata.get("before") for f in fields(settings)}
    return {**settings().to_dict(), **{k: v for k, v in said.items() if v is not None}, **told}


def integers(least: int) -> Callable[[click.Context, click.Parameter, str], tuple[int, ...]]:
    """For whole numbers from `least` on, with commas between them."""

    def parse(ctx: click.Context, parameter: click.Parameter, value: str) -> tuple[int, ...]:
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            raise click.BadParameter(f"{value!r} is no list of whole numbers, as 0,1,2") from None
        if min(numbers) < least:
            raise click.BadParameter(f"{min(numbers)} is below {least}")
        return numbers

    return parse


def options_of(settings: type[Any]) -> Sequence[Option]:
    """Of a class of settings, in the order of its fields."""
    types = get_type_hints(settings)
    return [_option(f, types[f.name]) for f in fields(settings) if f.metadata]


def _option(of: Field[Any], hint: Any) -> Option:
    said, flag, default = of.metadata, of.name.replace("_", "-"), of.default
    declared = f"--{flag}/--no-{flag}" if hint is bool else f"--{flag}"
    more: dict[str, Any] = {"help": said["help"] or None, "show_default": said["shown"] or True}
    if said["required"]:
        more["required"] = True
    elif not said["shown"]:
        more["default"] = ",".join(map(str, default)) if isinstance(default, tuple) else default
    if isinstance(default, tuple):
        more["callback"] = integers(int(said["least"] or 0))
    elif hint is not bool:
        more["type"] = said["kind"] or _kind(hint, said["least"], said["most"], said["above"])
    return click.option(said["option"] or declared, of.name, **more)


def _kind(hint: Any, least: float | None, most: float | None, above: bool) -> Any:
    """Click's type of a number, or of one of several words."""
    if get_origin(hint) is Literal:
        return click.Choice(list(get_args(hint)))
    if least is None and most is None:
        return int if hint is int else float
    ranged: Any = click.IntRange if hint is int else click.FloatRange
    return ranged(least, most, min_open=above)
