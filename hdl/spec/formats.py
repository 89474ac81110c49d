# SPDX-License-Identifier: Apache-2.0
"""Number formats: which integer stands for which real number, everywhere in the machine."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Formats", "QFormat", "Raw", "Rounding", "round_shift", "saturate"]

Raw = NDArray[np.int64]
Rounding = Literal["floor", "half_up", "stochastic"]


@dataclass(frozen=True)
class QFormat:
    """A signed number of `width` bits of which `frac` stand behind the binary point."""

    width: int
    frac: int

    @property
    def raw_min(self) -> int:
        return -(1 << (self.width - 1))

    @property
    def raw_max(self) -> int:
        return (1 << (self.width - 1)) - 1

    @property
    def lsb(self) -> float:
        return 2.0**-self.frac

    @property
    def real_min(self) -> float:
        return self.raw_min * self.lsb

    @property
    def real_max(self) -> float:
        return self.raw_max * self.lsb

    def to_real(self, raw: ArrayLike) -> NDArray[np.float64]:
        """The real numbers that the integers `raw` stand for."""
        return np.asarray(raw, dtype=np.float64) * self.lsb

    def to_raw(self, real: ArrayLike) -> Raw:
        """Nearest integers (half up), saturated to the width. NaN is the caller's to refuse."""
        scaled = np.floor(np.asarray(real, dtype=np.float64) * 2.0**self.frac + 0.5)
        return np.clip(scaled, self.raw_min, self.raw_max).astype(np.int64)

    def __str__(self) -> str:
        return f"Q{self.width - self.frac}.{self.frac}"


@dataclass(frozen=True)
class Formats:
    """All formats of a core; `word` is the width of w, r, e and of the multipliers' operands.

    Reals: w in +-4, r and u in +-8, e and v in +-32 at any word length; the bits behind the
    binary point follow the word (18: 15, 14, 12).
    """

    word: int = 18
    guard: int = 10
    accumulator: int = 46
    q_drop: int = 9
    g_drop: int = 12

    def __post_init__(self) -> None:
        if self.word not in (16, 18):
            raise ValueError(f"word is {self.word} bits; a core has 16 or 18")

    @property
    def w(self) -> QFormat:
        """Weights."""
        return QFormat(self.word, self.word - 3)

    @property
    def r(self) -> QFormat:
        """Rates r, slopes r', inputs, outputs, targets and the narrow difference d."""
        return QFormat(self.word, self.word - 4)

    @property
    def e(self) -> QFormat:
        """Errors e, q as read by the filter, and the narrow difference of the error filter."""
        return QFormat(self.word, self.word - 6)

    @property
    def u(self) -> QFormat:
        """Membrane u and prospective voltage p: r with guard bits."""
        return QFormat(self.word + self.guard, self.r.frac + self.guard)

    @property
    def v(self) -> QFormat:
        """Error membrane v: e with guard bits."""
        return QFormat(self.word + self.guard, self.e.frac + self.guard)

    @property
    def drive(self) -> QFormat:
        """The forward accumulator: an exact sum of w r."""
        return QFormat(self.accumulator, self.w.frac + self.r.frac)

    @property
    def q(self) -> QFormat:
        """The word q is summed in; each product w e drops `q_drop` bits first."""
        return QFormat(2 * self.word, self.w.frac + self.e.frac - self.q_drop)

    @property
    def g(self) -> QFormat:
        """The word a gradient is summed in; each product e r drops `g_drop` bits first."""
        return QFormat(2 * self.word, self.e.frac + self.r.frac - self.g_drop)

    @property
    def mantissa(self) -> QFormat:
        """A coefficient's mantissa: 1 <= |m| < 2."""
        return QFormat(self.word, self.word - 2)

    @property
    def max_inputs(self) -> int:
        """Most columns (bias included) whose full-scale drive still fits the accumulator."""
        return (1 << (self.accumulator - 1 - 2 * (self.word - 1))) - 1

    @property
    def max_targets(self) -> int:
        """Most neurons whose full-scale q still fits its word."""
        return (1 << (self.q_drop + 1)) - 1

    @property
    def max_products(self) -> int:
        """Most products (streams x steps) that a gradient word can sum without a wrap."""
        return (1 << (self.g_drop + 1)) - 1


def round_shift(value: Raw, shift: int, rounding: Rounding = "half_up") -> Raw:
    """`value / 2**shift` as an integer; `shift <= 0` is exact. `half_up`: ties go up."""
    if shift <= 0:
        return value << -shift
    return (value + (1 << (shift - 1)) if rounding == "half_up" else value) >> shift


def saturate(value: Raw, fmt: QFormat) -> tuple[Raw, int]:
    """`value` limited to the range of `fmt`, and how many elements that changed."""
    limited = np.clip(value, fmt.raw_min, fmt.raw_max)
    return limited, int(np.count_nonzero(limited != value))
