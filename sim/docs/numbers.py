# SPDX-License-Identifier: Apache-2.0
"""Tables of the number formats, computed from `antevolt.hdl.spec.formats` and the host's tables."""

import numpy as np

from antevolt.hdl.spec.formats import Formats, Raw, round_shift, saturate
from antevolt.hdl.spec.machine import Machine
from antevolt.hdl.spec.moments import Rule
from antevolt.hdl.spec.roundings import PRE
from antevolt.host.phi_tables import FUNCTIONS, table
from antevolt.host.quantize import SHIFTS, rate_gain, shifts
from antevolt.host.words import signed

__all__ = ["coefficients", "formats", "learning_rates", "lengths", "limits", "phi"]

WORDS = (18, 16, 14, 12, 10, 8)
TABLES = (18, 16, 12)
"""Words of which all formats are listed."""
HOLDS = {
    "w": "weights and biases",
    "r": "rates r, slopes r', inputs, targets, outputs; also p and d when rounded to a word",
    "e": "errors e, q when read, delta when rounded to a word",
    "u": "membrane u; p before rounding",
    "v": "error membrane v; e before rounding",
    "drive": "accumulator of FORWARD: exact sums of w r",
    "q": "sums of w e over target neurons",
    "g": "sums of e r over streams and steps: gradients",
    "mantissa": "mantissas of coefficients, slopes of the tables",
}


def formats() -> str:
    """One table per word length."""
    parts = []
    for word in TABLES:
        f = Formats(word)
        lines = [
            f"**Words of {word} bits**",
            "",
            "| name | holds | bits | format | least | greatest | one LSB |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, holds in HOLDS.items():
            fmt = getattr(f, name)
            lines.append(
                f"| `{name}` | {holds} | {fmt.width} | {fmt} | {fmt.real_min:g} "
                f"| {-fmt.real_min:g} - LSB | 2^-{fmt.frac} |"
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def lengths() -> str:
    """Bits of what is longer than a word, and of what a product drops on its way into a sum."""
    lines = [
        "| word | u, v | guard bits | accumulator | q | less of w e | gradient | less of e r |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for word in WORDS:
        f = Formats(word)
        sums = f"{f.accumulator} | {f.q.width} | {f.q_drop} | {f.g.width} | {f.g_drop}"
        lines.append(f"| {word} | {f.u.width} | {f.guard} | {sums} |")
    return "\n".join(lines)


def limits() -> str:
    """What a network may not exceed, so that no exact sum can wrap."""
    columns = [Formats(word) for word in WORDS]
    rows = {
        "columns of a projection (inputs and bias)": [f.max_inputs for f in columns],
        "neurons of a population": [f.max_targets for f in columns],
        "streams x learning steps of one gradient": [f.max_products for f in columns],
    }
    head = " | ".join(f"{word} bits" for word in WORDS)
    lines = [f"| most | {head} |", "|---|" + "---|" * len(WORDS)]
    lines += [f"| {name} | {' | '.join(map(str, values))} |" for name, values in rows.items()]
    return "\n".join(lines)


def coefficients() -> str:
    """Ranges of the filters' coefficients: from the widest to the narrowest shift."""
    lines = ["| coefficient | word | least | greatest |", "|---|---|---|---|"]
    for word in WORDS:
        f = Formats(word)
        pairs = zip(("a_m, a_r, rho, kappa, g", "gamma", "beta"), shifts(f), strict=True)
        for name, shift in pairs:
            least, most = 2.0 ** (shift - SHIFTS + 1), 2.0 ** (shift + 1)
            lines.append(f"| {name} | {word} | {least:.3g} | below {most:g} |")
    return "\n".join(lines)


def learning_rates() -> str:
    """The range of eta, as `antevolt.host.quantize.learning_rate` checks it."""
    lines = ["| optimizer | word | least eta | greatest eta |", "|---|---|---|---|"]
    for names, rule in (
        ("sgd, momentum, momentum_sum", Rule.SGD),
        ("sign, adam, sign_sum", Rule.SIGN),
    ):
        for word in WORDS:
            gain = rate_gain(rule, Formats(word))
            lines.append(f"| {names} | {word} | {4 * 2.0**-63 / gain:.3g} | {7 / gain:.3g} |")
    return "\n".join(lines)


def phi() -> str:
    """Worst errors of the tables over every raw p, in LSB of r; rounding of r is 0.5 of it."""
    most = 1 << Machine().phi_log2
    lines = [
        f"Default tables, {most} intervals (words of 8 bits: {1 << Formats(8).phi_log2}):",
        "",
        "| phi | word | worst error of phi | at p | worst error of phi' | at p |",
        "|---|---|---|---|---|---|",
    ]
    for name, functions in FUNCTIONS.items():
        for word in WORDS:
            f, log2 = Formats(word), Formats(word).phi_log2
            p = np.arange(f.r.raw_min, f.r.raw_max + 1)
            real, cells = f.r.to_real(p), []
            # the greatest r is one LSB below 8: what cannot be said is no error of the table
            for words, function in zip(table(name, f, log2), functions, strict=True):
                wanted = np.minimum(function(real), f.r.real_max)
                error = np.abs(f.r.to_real(_looked_up(words, f, log2)) - wanted) / f.r.lsb
                worst = int(error.argmax())
                cells += [f"{error[worst]:.1f} LSB", f"{real[worst]:.2f}"]
            lines.append(f"| {name} | {word} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _looked_up(words: Raw, f: Formats, log2: int) -> Raw:
    """What a table says for every raw p from the lowest: the definition, in integers."""
    inside = np.arange(1 << (f.word - log2))
    value, slope = (signed(words >> n, f.word)[:, None] for n in (0, f.word))
    rise = round_shift(inside * slope << PRE, PRE + f.mantissa.frac - f.guard)
    wide = saturate((value << f.guard) + rise, f.u)[0]
    return saturate(round_shift(wide, f.guard), f.r)[0].reshape(-1)
