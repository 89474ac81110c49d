# SPDX-License-Identifier: Apache-2.0
"""Every place where the machine loses bits: what, from, to, how, and which counter counts it."""

from dataclasses import dataclass
from typing import Literal

from antevolt.hdl.spec.formats import Formats, QFormat, Rounding
from antevolt.hdl.spec.memory_map import OUTPUT_SUM_BITS

__all__ = ["PRE", "Loss", "markdown", "table"]

PRE = 4
"""Bits a filter product is shifted up before its variable shift down, so that coefficients up to
2^10 (18-bit words) need no shift to the left."""

FIRST, SECOND = "float, 12 of 18 bits (m)", "float, 12 of 18 bits (v)"


@dataclass(frozen=True)
class Loss:
    """One rounding; `exact`: only a limit. `kind` names the saturation counter; None: it cannot
    saturate. Bits without a format are those of a mantissa."""

    op: str
    what: str
    source: QFormat | str
    target: QFormat | str
    rounding: Rounding | Literal["exact"]
    kind: str | None


def table(f: Formats) -> tuple[Loss, ...]:
    """The roundings of a core, in the order of a step.

    A *product* in the filter is round(A B 2^PRE / 2^shift), added to its base, then saturated.
    """
    w, r, e, u, v = f.w, f.r, f.e, f.u, f.v
    wide = QFormat(2 * f.word, w.frac + e.frac)
    learn = QFormat(2 * f.word, e.frac + r.frac)
    sums = QFormat(OUTPUT_SUM_BITS, r.frac)
    return (
        Loss("MEMBRANE", "s from the accumulator", f.drive, u, "half_up", "drive"),
        Loss("MEMBRANE", "d = s + gamma e - u", u, r, "half_up", "d"),
        Loss("MEMBRANE", "u + a_m d", u, u, "half_up", "u"),
        Loss("MEMBRANE", "p = u + rho d", u, r, "half_up", "p"),
        Loss("MEMBRANE", "r = phi(p), r' = phi'(p) by interpolation", u, r, "half_up", None),
        Loss(
            "OUTPUT", "sum of r since FIRST", QFormat(sums.width + 1, r.frac), sums, "floor", "sums"
        ),
        Loss("OUTPUT", "that sum / 2^shift", sums, r, "floor", "sums"),
        Loss("ERROR", "cost: y - r", QFormat(r.width + 1, r.frac), r, "exact", "beta"),
        Loss("ERROR", "scaled q (beta at the output)", v, e, "half_up", "beta"),
        Loss("ERROR", "delta = r' q - v", v, e, "half_up", "delta"),
        Loss("ERROR", "v + a_r delta", v, v, "half_up", "v"),
        Loss("ERROR", "e = v + kappa delta", v, e, "half_up", "e"),
        Loss("BACK", "each product w e", wide, f.q, "half_up", None),
        Loss("BACK", "q when read", f.q, e, "half_up", "q"),
        Loss("BACK", "each product e r", learn, f.g, "half_up", None),
        Loss("APPLY", "eta G to 16 bits below w", f.g, QFormat(60, w.frac + 16), "floor", None),
        Loss("APPLY", "|G| for m, to its leading bits", f.g, "17 bits", "floor", None),
        Loss("APPLY", "G^2 for v, from a table", f.g, "13 bits", "half_up", None),
        Loss("APPLY", "m + (G - m) 2^-k", "29 bits", FIRST, "stochastic", None),
        Loss("APPLY", "v + (G^2 - v) 2^-k", "29 bits", SECOND, "stochastic", None),
        Loss("APPLY", "1 / sqrt(v), from a table", SECOND, "12 bits", "half_up", None),
        Loss("APPLY", "w + eta G, accumulated", QFormat(60, w.frac + 16), w, "half_up", "w"),
        Loss("APPLY", "w + eta G, immediate", QFormat(60, w.frac + 16), w, "stochastic", "w"),
    )


def markdown(f: Formats) -> str:
    """The table for the manual."""
    lines = ["| op | what | from | to | mode | counter |", "|---|---|---|---|---|---|"]
    for loss in table(f):
        kind = f"`{loss.kind}`" if loss.kind else "-"
        formats = f"{loss.source} | {loss.target} | {loss.rounding}"
        lines.append(f"| {loss.op} | {loss.what} | {formats} | {kind} |")
    return "\n".join(lines) + "\n"
