# SPDX-License-Identifier: Apache-2.0
"""The type of options that are real numbers in a range."""

import math
from typing import Any

import click

__all__ = ["POSITIVE", "Finite"]


class Finite(click.FloatRange):
    """click's own range takes NaN, and infinity where it has no end."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is no finite number.", param, ctx)
        return number


POSITIVE = Finite(min=0, min_open=True)
