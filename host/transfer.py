# SPDX-License-Identifier: Apache-2.0
"""The state of a core with other number formats, as numbers that this core can round."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from antevolt.hdl.spec.errors import BadInput
from antevolt.hdl.spec.formats import Formats, Raw
from antevolt.hdl.spec.moments import EXPONENTS, FRACTION, WORD
from antevolt.host.words import signed

__all__ = ["FORMATS", "RAW", "differing", "formats_of", "moments_between", "told", "transferred"]

RAW = ".raw"
FORMATS = "core.formats"
"""The entry of a state that says what its integers mean."""
FIELDS = ("word", "guard", "accumulator", "q_drop", "g_drop")


def told(formats: Formats) -> Raw:
    """The entry, [5]: `Formats` in the order of its fields."""
    return np.array([getattr(formats, name) for name in FIELDS], dtype=np.int64)


def formats_of(state: Mapping[str, ArrayLike], own: Formats) -> Formats:
    """The formats that a state tells, else `own`; raises BadInput for what are none."""
    if FORMATS not in state:
        return own
    values = np.asarray(state[FORMATS])
    if values.shape != (len(FIELDS),) or values.dtype.kind not in "iu":
        raise BadInput(f"{FORMATS} is {values}; expected {len(FIELDS)} integers: {FIELDS}")
    try:
        return Formats(*values.tolist())
    except ValueError as error:
        raise BadInput(f"{FORMATS}: {error}") from error


def transferred(
    state: Mapping[str, ArrayLike], source: Formats, target: Formats, moments: int
) -> Mapping[str, ArrayLike]:
    """A state without the integers of the formats `source`, its moments in units of `target`.

    moments  per weight, of the network
    """
    moved: dict[str, ArrayLike] = {}
    for name, values in state.items():
        if name.endswith("moment"):
            words = np.asarray(state.get(name + RAW, values)).astype(np.int64)
            moved[name] = moments_between(words, target.g.frac - source.g.frac, moments)
        elif not name.endswith(RAW) and name != FORMATS:
            moved[name] = values
    return moved


def differing(source: Formats, target: Formats) -> str:
    """What differs, in words."""
    pairs = ((name, getattr(source, name), getattr(target, name)) for name in FIELDS)
    return ", ".join(f"{name} {theirs}, not {own}" for name, theirs, own in pairs if theirs != own)


def moments_between(words: Raw, shift: int, moments: int) -> Raw:
    """Moment words in a unit 2^-shift as large: the exponent of m grows by `shift`, that of v by
    twice that. What becomes too small is 0, what becomes too large the largest there is."""
    total: Raw = np.zeros_like(words)
    for which in range(moments):
        own = words >> WORD * which & (1 << WORD) - 1
        top = (1 << EXPONENTS[which]) - 1
        exponent = own >> FRACTION & top
        moved = exponent + (1 + which) * shift
        rest = own & ~(top << FRACTION)
        new = rest | np.clip(moved, 1, top) << FRACTION
        new = np.where(moved > top, new | (1 << FRACTION) - 1, new)
        total |= np.where((exponent == 0) | (moved < 1), 0, new) << WORD * which
    return signed(total, WORD * moments)
