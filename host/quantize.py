# SPDX-License-Identifier: Apache-2.0
"""From real numbers to the integers of a core: coefficients, learning rates and momenta."""

import math
from typing import cast

from antevolt.hdl.spec.errors import BadNetwork
from antevolt.hdl.spec.formats import Formats
from antevolt.hdl.spec.moments import SCALE, SLOWEST, Rule
from antevolt.hdl.spec.network import Population
from antevolt.hdl.spec.roundings import PRE
from antevolt.hdl.spec.time_constants import FRAC, HIGHEST, ONE

__all__ = [
    "Eta",
    "coefficient",
    "decay",
    "learning_rate",
    "learns_times",
    "rate_gain",
    "shifts",
    "tau_rate",
    "taus_of",
    "time_constant",
]

SHIFTS = 64
NEAR = 1.3  # by how much a moment may be faster or slower than asked for
Eta = tuple[int, int]
"""m and k of eta = m 2^-k between raw gradient and raw weight."""


def shifts(formats: Formats) -> tuple[int, int, int]:
    """Right shift of a filter product whose coefficient is in [1, 2): in general, for gamma, which
    takes e to u, and for beta, which takes y - r to v."""
    f = formats
    general = PRE + f.mantissa.frac - f.guard
    of_gamma = PRE + f.e.frac + f.mantissa.frac - f.u.frac
    return general, of_gamma, PRE + f.r.frac + f.mantissa.frac - f.v.frac


def coefficient(name: str, value: float, shift: int, formats: Formats) -> int:
    """The word of a coefficient: shift above the mantissa, relative error below 2^-(word - 2).

    `shift` belongs to coefficients in [1, 2) (`shifts`). Raises BadNetwork for one that is too
    large; one that is too small for the widest shift becomes 0.
    """
    fmt = formats.mantissa
    if value == 0:
        return 0
    exponent = math.frexp(value)[1] - 1
    mantissa = math.floor(math.ldexp(value, fmt.frac - exponent) + 0.5)
    if abs(mantissa) > fmt.raw_max:
        mantissa, exponent = mantissa // 2, exponent + 1
    if shift - exponent >= SHIFTS:
        return 0
    if shift < exponent:
        raise BadNetwork(
            f"{name} is {value:g}; this core's filters go up to {2.0 ** (shift + 1):g}: "
            "make the time constants or the coupling more alike"
        )
    return (shift - exponent) << formats.word | mantissa & (1 << formats.word) - 1


def rate_gain(rule: Rule, formats: Formats) -> float:
    """Raw weight per raw step at eta = 1: steps are gradients, or have SCALE fractional bits."""
    of_gradients = (Rule.SGD, Rule.MOMENTUM, Rule.MOMENTUM_SUM)
    fine = formats.g.frac if rule in of_gradients else SCALE
    return 2.0 ** (formats.w.frac - fine)


def learning_rate(eta: float, formats: Formats, rule: Rule = Rule.SGD) -> tuple[Eta, float]:
    """(m, k) nearest to eta with m in 4..7, and the eta that this is.

    Raises BadNetwork for an eta that is not positive or beyond the range of k (0..63).
    """
    if not eta > 0:
        raise BadNetwork(f"eta is {eta}; an APPLY needs a positive rate (freeze: learn=False)")
    gain = rate_gain(rule, formats)
    exponent = math.frexp(eta)[1] - 1
    m = math.floor(math.ldexp(eta, 2 - exponent) + 0.5)
    if m == 8:
        m, exponent = 4, exponent + 1
    k = 2 - exponent - round(math.log2(gain))
    if not 0 <= k <= 63:
        least, most = 4 * 2.0**-63 / gain, 7 / gain
        raise BadNetwork(f"eta is {eta:g}; this core takes {least:.3g} .. {most:.3g}")
    return (m, k), m * 2.0**-k / gain


def learns_times(population: Population) -> bool:
    """Its time constants learn."""
    return bool(population.eta_tau_m or population.eta_tau_r)


def taus_of(population: Population) -> tuple[tuple[float, float], ...]:
    """(tau_m, tau_r) of each neuron."""
    both = (population.tau_m, population.tau_r)  # one number for all has become one for each
    return tuple(zip(*cast("tuple[tuple[float, ...], ...]", both), strict=True))


def time_constant(steps: float, where: str) -> int:
    """tau / dt as the core keeps it; raises BadNetwork for one that is too long."""
    raw = math.floor(math.ldexp(steps, FRAC) + 0.5)
    if raw > HIGHEST:
        raise BadNetwork(
            f"a time constant {where} is {steps:g} steps; one that learns is below "
            f"{(HIGHEST + 1) / ONE:g}: make dt larger"
        )
    return max(raw, ONE)


def tau_rate(eta: float, dt: float, formats: Formats) -> tuple[Eta, float]:
    """(m, k) nearest to a learning rate of time constants, and the rate that this is; 0 stays 0.

    Raises BadNetwork for one that is negative or beyond the range of k (0..50).
    """
    if eta == 0:
        return (0, 0), 0.0
    if not eta > 0:
        raise BadNetwork(f"a rate of time constants is {eta}; it is 0 or positive")
    exponent = math.frexp(eta / dt**2)[1] - 1  # tau and the filters both count in steps
    m = math.floor(math.ldexp(eta / dt**2, 2 - exponent) + 0.5)
    if m == 8:
        m, exponent = 4, exponent + 1
    places = formats.mantissa.frac + formats.g.frac - FRAC
    k = 2 - exponent + places
    if not 0 <= k <= 50:
        least, most = (a * 2.0 ** (places - b) * dt**2 for a, b in ((4, 50), (7, 0)))
        raise BadNetwork(f"a rate of time constants is {eta:g}; this core: {least:.3g}..{most:.3g}")
    return (m, k), m * 2.0 ** (places - k) * dt**2


def decay(name: str, momentum: float) -> tuple[int, float]:
    """k of the nearest 1 - 2^-k, and the momentum that this is.

    0.9, 0.95, 0.99 and 0.999 become 0.875, 0.9375, 0.9922 and 0.99902. Raises BadNetwork where the
    share of the new, 1 - momentum, would change by more than `NEAR`.
    """
    share = 1 - momentum
    k = min(max(round(-math.log2(share)), 0), SLOWEST)
    if max(share * 2.0**k, 2.0**-k / share) > NEAR:
        raise BadNetwork(
            f"{name} is {momentum:g}; a core has 1 - 2^-k with k 0..{SLOWEST}, the nearest is "
            f"{1 - 2.0**-k:.6g}"
        )
    return k, 1 - 2.0**-k
