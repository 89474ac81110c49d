# SPDX-License-Identifier: Apache-2.0
"""Number formats: which integer stands for which real number, everywhere in the machine."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from antevolt.hdl.spec import checks

__all__ = ["WORDS", "Formats", "QFormat", "Raw", "Rounding", "round_shift", "saturate"]

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


WORDS = (8, 10, 12, 14, 16, 18)
"""Word lengths of a core."""
SUM_BITS = 36
"""The longest word that q and gradients are summed in; the access port has no longer one."""
SHORT = {
    14: (10, 38, 5, 6),
    12: (8, 34, 3, 4),
    10: (8, 30, 1, 2),
    8: (6, 26, 0, 0),
}
"""guard, accumulator, q_drop and g_drop that are fit for short words."""
LONG = (10, 46, 9, 12)
OF_WORD = -1
Q_ROOM, G_ROOM = 9, 12
"""Bits above a product's: a sum of 2^(1 + room) - 1 products fits."""


@dataclass(frozen=True)
class Formats:
    """All formats of a core; `word` is the width of w, r, e and of the multipliers' operands.

    Reals: w in +-4, r and u in +-8, e and v in +-32 at any word length; the bits behind the
    binary point follow the word (18: 15, 14, 12). The other widths follow it, too, where they are
    left out. A sum of products is as long as its limits ask for, whatever a product drops.
    Raises ValueError for what no core can be made of.
    """

    word: int = 18
    guard: int = OF_WORD
    accumulator: int = OF_WORD
    q_drop: int = OF_WORD
    g_drop: int = OF_WORD

    def __post_init__(self) -> None:
        checks.typed(self)
        if self.word not in WORDS:
            raise ValueError(
                f"word is {self.word} bits; a core has {', '.join(map(str, WORDS))} of them"
            )
        names = ("guard", "accumulator", "q_drop", "g_drop")
        for name, fit in zip(names, SHORT.get(self.word, LONG), strict=True):
            if getattr(self, name) == OF_WORD:
                object.__setattr__(self, name, fit)
        self._check()

    def _check(self) -> None:
        word = self.word
        if not 1 <= self.guard <= word:
            raise ValueError(f"guard is {self.guard} bits; with words of {word} it is 1..{word}")
        least, most = 2 * word, 2 * word + 18
        if not least <= self.accumulator <= most:
            raise ValueError(f"accumulator is {self.accumulator} bits; it is {least}..{most}")
        if not 0 <= self.q_drop < self.w.frac:
            raise ValueError(f"q_drop is {self.q_drop} bits; it is 0..{self.w.frac - 1}")
        for name, fmt in (("q_drop", self.q), ("g_drop", self.g)):
            drop = getattr(self, name)
            if drop < 0 or 2 * word - drop <= (fmt.width + 1) // 2:  # `hdl.lib.skew` halves sums
                raise ValueError(f"{name} is {drop} bits; that is too many for words of {word}")

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
        width = min(2 * self.word + Q_ROOM - self.q_drop, SUM_BITS)
        return QFormat(width, self.w.frac + self.e.frac - self.q_drop)

    @property
    def g(self) -> QFormat:
        """The word a gradient is summed in; each product e r drops `g_drop` bits first."""
        width = min(2 * self.word + G_ROOM - self.g_drop, SUM_BITS)
        return QFormat(width, self.e.frac + self.r.frac - self.g_drop)

    @property
    def mantissa(self) -> QFormat:
        """A coefficient's mantissa: 1 <= |m| < 2."""
        return QFormat(self.word, self.word - 2)

    @property
    def phi_log2(self) -> int:
        """log2 of the intervals of a table that words are long enough for; 8, or fewer."""
        return min(8, self.word - 2)

    @property
    def max_inputs(self) -> int:
        """Most columns (bias included) whose full-scale drive still fits the accumulator."""
        return (1 << (self.accumulator - 1 - 2 * (self.word - 1))) - 1

    @property
    def max_targets(self) -> int:
        """Most neurons whose full-scale q still fits its word."""
        return self._sums(self.q, self.q_drop)

    @property
    def max_products(self) -> int:
        """Most products (streams x steps) that a gradient word can sum without a wrap."""
        return self._sums(self.g, self.g_drop)

    def _sums(self, fmt: QFormat, drop: int) -> int:
        """Products of two lowest words, `drop` bits less, that the format can sum."""
        return (1 << (fmt.width - 1 - (2 * (self.word - 1) - drop))) - 1


def round_shift(value: Raw, shift: int, rounding: Rounding = "half_up") -> Raw:
    """`value / 2**shift` as an integer; `shift <= 0` is exact. `half_up`: ties go up."""
    if shift <= 0:
        return value << -shift
    return (value + (1 << (shift - 1)) if rounding == "half_up" else value) >> shift


def saturate(value: Raw, fmt: QFormat) -> tuple[Raw, int]:
    """`value` limited to the range of `fmt`, and how many elements that changed."""
    limited = np.clip(value, fmt.raw_min, fmt.raw_max)
    return limited, int(np.count_nonzero(limited != value))
