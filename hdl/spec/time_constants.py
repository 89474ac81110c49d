# SPDX-License-Identifier: Apache-2.0
"""Learned time constants as the core keeps them, and the coefficients it makes of them.

A time constant is stored in steps, tau/dt, with FRAC bits behind the point. Coefficients are ratios
of two numbers, divided bit by bit and cut, never rounded up: 1/tau_m, tau_r/tau_m, 1/tau_r,
tau_m/tau_r. Source of the learning rule: `docs/step.md`.
"""

from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.roundings import PRE

__all__ = ["BITS", "FRAC", "HIGHEST", "ONE", "coefficient_word", "moved", "ratio", "ratios"]

BITS, FRAC = 36, 24
ONE = 1 << FRAC
"""One step, the smallest time constant."""
HIGHEST = (1 << FRAC + 11) - 1
"""Just below 2^11 steps."""


def ratio(over: int, under: int, f: Formats) -> tuple[int, int]:
    """(mantissa, E) of over / under as a coefficient, mantissa 2^(2 - word) 2^E, cut."""
    n, d = over.bit_length(), under.bit_length()
    bits = f.word - 1
    quotient = (over << BITS - n << bits) // (under << BITS - d)  # in (1/2, 2), `bits` behind point
    if quotient >> bits:
        return quotient >> 1, n - d
    return quotient, n - d - 1


def coefficient_word(over: int, under: int, f: Formats) -> int:
    """The same as a word of the coefficient memory: shift above the mantissa."""
    mantissa, exponent = ratio(over, under, f)
    return (PRE + f.word - 2 - f.guard - exponent) << f.word | mantissa


def ratios(own: int, other: int, f: Formats) -> tuple[int, int]:
    """Words of 1/own and other/own: a_m and rho from tau_m and tau_r, a_r and kappa swapped."""
    return coefficient_word(ONE, own, f), coefficient_word(other, own, f)


def moved(tau: int, total: int, tau_m: int, eta: tuple[int, int], sign: int, f: Formats) -> int:
    """tau + sign half_up(total m mantissa(1/tau_m) 2^(E - k)), limited; eta: (m, k)."""
    mantissa, exponent = ratio(ONE, tau_m, f)
    m, k = eta
    change = ((2 * total * mantissa * m >> min(k - exponent, 63)) + 1) >> 1
    return min(max(tau + sign * change, ONE), HIGHEST)
