# SPDX-License-Identifier: Apache-2.0
"""What a sweep varies: ranges and lists of values, as they are written on the command line."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from antevolt.hdl.spec.errors import BadInput

if TYPE_CHECKING:
    from optuna import Trial

__all__ = ["Choice", "Dimension", "Range", "parse"]


@dataclass(frozen=True)
class Range:
    """Numbers from low to high; whole ones, or in equal steps of the logarithm."""

    low: float
    high: float
    whole: bool = False
    logarithmic: bool = False

    def draw(self, trial: "Trial", name: str) -> float:
        """A number that the trial suggests."""
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.logarithmic)
        return trial.suggest_float(name, self.low, self.high, log=self.logarithmic)

    @property
    def middle(self) -> float:
        """Of the range, as it is drawn from."""
        mean = (self.low + self.high) / 2
        middle = math.sqrt(self.low * self.high) if self.logarithmic else mean
        return round(middle) if self.whole else middle

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}{':log' if self.logarithmic else ''}"


@dataclass(frozen=True)
class Choice:
    """One of some words, as the task's option takes them."""

    values: tuple[str, ...]

    def draw(self, trial: "Trial", name: str) -> str:
        """A word that the trial suggests."""
        chosen: str = trial.suggest_categorical(name, self.values)
        return chosen

    @property
    def middle(self) -> str:
        return self.values[len(self.values) // 2]

    def __str__(self) -> str:
        return ",".join(self.values)


Dimension = Range | Choice


def parse(texts: Sequence[str], known: Callable[[str], bool]) -> dict[str, Dimension]:
    """Dimensions by option: `eta=1e-4..1e-2:log`, `streams=1..40`, `optimizer=sign,adam`.

    Two whole numbers, written without a point, make a range of whole ones. `known` says whether the
    task has such an option. Raises BadInput.
    """
    found: dict[str, Dimension] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not equals or not name or not values:
            raise BadInput(f"{text!r} is no NAME=LOW..HIGH and no NAME=A,B,C")
        if name in found:
            raise BadInput(f"{name} is varied twice")
        if not known(name):
            raise BadInput(f"the task has no option --{name}")
        found[name] = _range(text, values) if ".." in values else _choice(text, values)
    if not found:
        raise BadInput("nothing is varied; give at least one --over NAME=LOW..HIGH")
    return found


def _range(text: str, values: str) -> Range:
    span, colon, scale = values.partition(":")
    low, _, high = span.partition("..")
    if colon and scale != "log":
        raise BadInput(f"{text!r}: after the range comes :log, or nothing")
    try:
        numbers = float(low), float(high)
    except ValueError:
        raise BadInput(f"{text!r}: {span!r} is no range of two numbers") from None
    whole = all(part.lstrip("+-").isdecimal() for part in (low, high))
    if not all(map(math.isfinite, numbers)) or numbers[0] >= numbers[1]:
        raise BadInput(f"{text!r}: a range goes from a smaller number to a larger one")
    if colon and numbers[0] <= 0:
        raise BadInput(f"{text!r}: a logarithmic range is above 0")
    return Range(*numbers, whole=whole, logarithmic=bool(colon))


def _choice(text: str, values: str) -> Choice:
    parts = tuple(values.split(","))
    if len(parts) < 2 or len(set(parts)) != len(parts) or not all(parts):
        raise BadInput(f"{text!r}: two values at least, each once")
    return Choice(parts)
