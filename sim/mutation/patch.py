# SPDX-License-Identifier: Apache-2.0
"""Mutants of the model: small mistakes in its sources, one at a time, made when it is imported.

Each is a file, a text that occurs there exactly once, what stands in its place, and what that
means. A text that is no longer there, or there twice, is an error: the list must follow the model.
"""

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

from antevolt.hdl.spec.errors import BadInput

__all__ = ["MUTANTS", "Mutant", "changed", "check", "install"]


@dataclass(frozen=True)
class Mutant:
    """One mistake."""

    module: str
    text: str
    becomes: str
    means: str

    @property
    def file(self) -> str:
        return self.module.removeprefix("antevolt.").replace(".", "/") + ".py"


def changed(mutant: Mutant, source: str) -> str:
    """The source with the mistake in it. Raises BadInput when the text is not there just once."""
    count = source.count(mutant.text)
    if count != 1 or mutant.text == mutant.becomes:
        raise BadInput(
            f"the mutant {mutant.means!r} of {mutant.file} rests on a text that is there {count} "
            f"times: {mutant.text!r}; mend it in sim/mutation/patch.py"
        )
    return source.replace(mutant.text, mutant.becomes)


def check(mutant: Mutant) -> None:
    """Raises BadInput when the mistake cannot be made in the sources as they are."""
    spec = importlib.util.find_spec(mutant.module)
    if spec is None or spec.origin is None:
        raise BadInput(f"there is no module {mutant.module} any more; mend sim/mutation/patch.py")
    changed(mutant, Path(spec.origin).read_text())


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source; no byte code is kept."""

    mutant: Mutant

    def get_code(self, fullname: str) -> CodeType:
        source = changed(self.mutant, Path(self.path).read_text())
        return compile(source, self.path, "exec", dont_inherit=True)


class _Finder:
    def __init__(self, mutant: Mutant):
        self.mutant = mutant

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self.mutant.module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.origin is None:
            return None
        loader = _Loader(name, spec.origin)
        loader.mutant = self.mutant
        return importlib.util.spec_from_file_location(name, spec.origin, loader=loader)


def install(mutant: Mutant) -> None:
    """Make the mistake in this process. Raises BadInput when the module is there already."""
    if mutant.module in sys.modules:
        raise BadInput(f"{mutant.module} was imported before it could be changed")
    sys.meta_path.insert(0, _Finder(mutant))


def _of(module: str, *rows: tuple[str, str, str]) -> tuple[Mutant, ...]:
    return tuple(Mutant(f"antevolt.{module}", *row) for row in rows)


MUTANTS = (
    *_of(
        "sim.golden.core",
        ("fresh = learned == 0", "fresh = learned <= 1", "gradients are kept one step too short"),
        (
            "due = learned >= registers[Register.APPLY_EVERY]",
            "due = learned > registers[Register.APPLY_EVERY]",
            "APPLY comes one learning step late",
        ),
        ("0 if due else learned", "learned", "the count of learning steps is not cleared"),
        (
            "saturated = run(streams, fresh and op.context == 0)",
            "saturated = run(streams, fresh)",
            "every context starts the sums anew",
        ),
        (
            "_copy(self.memories.target[op.extra : op.extra + op.n], y.T, streams.sent)",
            "_copy(self.memories.target[op.extra : op.extra + op.n], y.T, streams.valid)",
            "targets are written for streams without one",
        ),
        (
            "_copy(rates, x.T, streams.valid)",
            "_copy(rates, x.T, None)",
            "inputs of invalid streams",
        ),
        ("words[streams.starting] = 0", "pass", "outputs before a start are not zero"),
        (
            "registers[Register.STEP] + 1) & 0xFFFFFFFF",
            "registers[Register.STEP] + 2) & 0xFFFFFFFF",
            "steps are counted double",
        ),
    ),
    *_of(
        "sim.golden.operations",
        ("e[:, : op.skip] = 0", "pass", "neurons before a run learn by its trace"),
        ("e[:, op.skip + op.rows :] = 0", "pass", "neurons behind a run learn by its trace"),
        ("total += memories.partial_q[place].T", "pass", "q of the last projection only"),
        ("fresh and not self.op.keep", "fresh", "a group's second run clears the first"),
        (
            "rates[~streams.learning] = 0",
            "pass",
            "streams that do not learn are in the gradient",
        ),
        (
            "sums[:, : self.columns] += change",
            "sums[:, : self.columns] = change",
            "no sum over steps",
        ),
        ("rates[:, self._constant] = one", "pass", "the bias of a stream that starts is zero"),
        (
            "op.n)\n        i, j",
            "0)\n        i, j",
            "all projections draw the same random bits",
        ),
        ("self.put(memories.gradients, left)", "pass", "sums are carried on whole"),
        (
            "number = steps(number, Rule(op.table))",
            "number = steps(left, Rule(op.table))",
            "weights move by what is left of a sum",
        ),
        (
            "carried(number, op.rates)",
            "carried(number, op.neurons)",
            "sums are carried on at the rate of v",
        ),
        (
            "limited if streams.valid is None else limited[streams.valid]",
            "limited",
            "saturations of invalid streams are counted",
        ),
    ),
    *_of(
        "sim.golden.neurons",
        (
            "e = self.read(memories.e, self.neurons, before)",
            "e = self.read(memories.e, self.neurons, None)",
            "e of before a start is used",
        ),
        (
            "u = self.read(memories.u, self.neurons, streams.starting)",
            "u = self.read(memories.u, self.neurons, None)",
            "u of before a start is used",
        ),
        (
            "v = self.read(memories.v, self.neurons, streams.starting)",
            "v = self.read(memories.v, self.neurons, None)",
            "v of before a start is used",
        ),
        (
            "slope = self.read(memories.slope, self.neurons, before)",
            "slope = self.read(memories.slope, self.neurons, None)",
            "r' of before a start is used (parallel schedule)",
        ),
        ("slope, streams)\n        first", "r, streams)\n        first", "r is kept for r'"),
        (
            "np.count_nonzero(limited if valid is None else limited[valid])",
            "np.count_nonzero(limited)",
            "saturations of invalid streams are counted in filters",
        ),
        ("s *= 2.0**memories", "s *= 0.5 * 2.0**memories", "traces of half the rates"),
        (
            "largest if op.head else np.maximum(memories.largest, largest)",
            "largest",
            "the largest output of the last group only",
        ),
        (
            "PRE - filters.share_shift(f)",
            "1 + PRE - filters.share_shift(f)",
            "shares of the softmax are doubled",
        ),
        ("softmax = op.cost == Cost.SOFTMAX", "softmax = False", "cross entropy is squared error"),
        (
            "place = slice(op.weights, op.weights + (1 if",
            "place = slice(0, 0 + (1 if",
            "coefficients of another population",
        ),
    ),
    *_of(
        "sim.golden.time_constants",
        ("terms[~streams.learning] = 0", "pass", "streams that do not learn move time constants"),
        ("(error * d, memories", "(error * abs(d), memories", "sign of d in the sums"),
        ("new_r = moved(tau_r, total_r, tau_m, rates[1], 1, f)", "new_r = tau_r", "tau_r stays"),
        ("[: 1 + op.output]", "[:1]", "ERROR keeps its old coefficients"),
    ),
    *_of(
        "sim.golden.filter",
        ("p = _word(product(d, rho, u)", "p = _word(product(d, a_m, u)", "p with a_m for rho"),
        (
            "u_next = _saturate(product(d, a_m, u)",
            "u_next = _saturate(product(d, rho, u)",
            "u by rho",
        ),
        ("    s -= u\n", "    s += u\n", "sign of the leak"),
        ("e = _word(product(delta, kappa, v)", "e = _word(product(delta, a_r, v)", "e by a_r"),
        ("q = y - r\n", "q = r - y\n", "sign of the output's error"),
        ("q[~target_valid] = 0", "pass", "streams without a target have an error"),
        ("product(slope, scaled, -v)", "product(slope, scaled, v)", "sign of v in delta"),
        (
            "np.full_like(p, 1 << f.r.frac)",
            "np.full_like(p, 2 << f.r.frac)",
            "slope of linear units",
        ),
        ("p += 1 << (f.word - 1)", "p += (1 << (f.word - 1)) - 1", "tables read one p too low"),
    ),
    *_of(
        "sim.golden.array",
        ("total *= 2.0**-drop", "total *= 2.0**-drop; total += 1", "one more in every rounded sum"),
        (
            "total -= _low_sum(low_bits(a, 0), low_bits(b, LOW - drop), LOW - drop)",
            "total = np.round(total)",
            "products of q and G are not rounded",
        ),
        (
            "return rounded_sum(e, rates, drop)",
            "return rounded_sum(e[:1], rates[:1], drop)",
            "gradient of one stream only",
        ),
        (
            "low_bits(b, LOW - drop), LOW - drop",
            "low_bits(b, LOW - max(drop, 1)), LOW - max(drop, 1)",
            "products that drop nothing are rounded",
        ),
    ),
    *_of(
        "sim.golden.apply",
        (
            "1 << (BITS - 1) if random is None",
            "0 if random is None",
            "changes are cut, not rounded",
        ),
        ("change += weights", "change = weights - change", "sign of eta"),
        ("limits.clip(change)", "pass", "weights do not saturate"),
        (
            "if np.max(k) > BITS:",
            "if np.max(k) > 1 << 30:",
            "low bits of a change reach the rounding",
        ),
    ),
    *_of(
        "sim.golden.carried",
        ("-k) + 0.5", "-k)", "what a sum loses is cut, not rounded"),
        ("np.ldexp(sums, -k)", "np.ldexp(sums, -k - 1)", "a sum loses half as much"),
        ("np.sign(sums)", "(1 - 2.0 * (sums < 0))", "a sum of zero moves weights"),
        ("rule == Rule.SIGN_SUM", "rule == Rule.SIGN", "sign_sum moves weights by the sum"),
    ),
    *_of(
        "sim.golden.direction",
        (
            "np.where(own > 0, ONE, 0)",
            "np.full_like(own, ONE)",
            "sign moves weights whose moment is zero",
        ),
        (
            "(v.exponent & 1) << ROOT_BITS | v.mantissa",
            "v.mantissa",
            "the root of an odd exponent is that of an even one",
        ),
        ("random[1], 1)", "random[0], 1)", "m and v are rounded by the same bits"),
    ),
    *_of(
        "sim.golden.moments",
        ("own - (own >> k)", "own - (own >> k + 1)", "moments forget half as much"),
        ("(random << TAIL + 2 - BITS)", "(1 << TAIL + 1)", "moments are rounded to the nearest"),
        (
            "np.abs(gradients)",
            "np.abs(gradients) & (1 << 30) - 1",
            "moments of the low bits of a gradient",
        ),
    ),
    *_of(
        "sim.golden.arithmetic",
        (
            "    value += 0.5\n    return np.floor(value, out=value)",
            "    return np.floor(value, out=value)",
            "words are cut, not rounded",
        ),
        ("    total += 0.5\n", "    total += 0.5 - 2.0**-20\n", "ties of products go down"),
        ("2.0 ** (bits - 1) - 1", "2.0 ** (bits - 1)", "the greatest word is one too large"),
        (
            "top - 2.0 ** (formats.guard - 1) - 1  #",
            "top - 2.0 ** (formats.guard - 1) - 1 - 2.0**formats.guard  #",
            "words saturate one too early",
        ),
        (
            "limited = (wide < low) | (wide > high)",
            "limited = wide > high",
            "low saturations uncounted",
        ),
        (
            "inside = word - phi_log2\n",
            "inside = word - phi_log2\n    slope = slope * 0\n",
            "tables are steps",
        ),
        (
            "fraction * 2.0 ** -(word - 2 - formats.guard)",
            "fraction * 2.0 ** -(16 - formats.guard)",
            "slopes of tables as in words of 18 bits",
        ),
    ),
    *_of(
        "sim.golden.memories",
        ("memory[at[chosen] // 2, unit]", "memory[at[chosen] // 2, 0]", "state goes to column 0"),
        (
            "word & (1 << WRITABLE.get(number, 0)) - 1",
            "word & (1 << WRITABLE.get(number, 32)) - 1",
            "counters can be set",
        ),
        (
            "both[::2] | both[1::2] << f.word",
            "both[1::2] | both[::2] << f.word",
            "pairs are swapped",
        ),
        (
            "self.shift[where] = words >> f.word &",
            "self.shift[where] = words >> f.word + 1 &",
            "shifts are halved",
        ),
    ),
    *_of(
        "sim.golden.streams",
        (
            "np.copyto(memory, values.T, where=streams.valid)",
            "memory[...] = values.T",
            "invalid streams are written",
        ),
        (
            "targeted = valid & (flags & Flag.TARGET_VALID != 0)",
            "targeted = flags & Flag.TARGET_VALID != 0",
            "targets of invalid streams are looked for",
        ),
        (
            "learning = valid & (flags & Flag.LEARN != 0)",
            "learning = flags & Flag.LEARN != 0",
            "invalid streams learn",
        ),
        (
            "starting = valid & (flags & Flag.FIRST != 0)",
            "starting = valid & (flags & Flag.LAST != 0)",
            "streams start at LAST",
        ),
    ),
    *_of(
        "hdl.spec.formats",
        ("8: (6, 26, 0, 0)", "8: (5, 26, 0, 0)", "words of 8 bits have one guard bit fewer"),
        ("8: (6, 26, 0, 0)", "8: (6, 26, 0, 1)", "gradients of 8-bit words drop a bit"),
        (
            "2 * self.word + G_ROOM - self.g_drop",
            "2 * self.word + 11 - self.g_drop",
            "gradients are summed in a bit less",
        ),
    ),
    *_of(
        "hdl.spec.dither",
        ('("xor", 11)', '("xor", 12)', "another permutation"),
        ("BITS = 16", "BITS = 15", "one random bit fewer"),
        ("np.uint32(32 - BITS)", "np.uint32(0)", "the low bits of the mixed word"),
        ("<< np.uint32(16)) ^", "<< np.uint32(15)) ^", "rows overlap columns"),
        ("(seed ^ step)", "(seed)", "the same random bits at every step"),
    ),
)
